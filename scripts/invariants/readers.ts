import type { Mutant } from "../invariant.ts";

/** Who reads what, and with whose account: readers and the directory, facts that are kept, credentials of users. */
export const readerMutants: readonly Mutant[] = [
  {
    invariant: 1,
    name: "one user's connection to an MCP server serves another",
    patches: [
      {
        file: "src/connectors/mcp/user-links.ts",
        find: "return JSON.stringify([principal.tenant, principal.user]);",
        replace: "return typeof principal.user;",
      },
      { file: "src/connectors/mcp/user-links.ts", find: "known.proof === digest", replace: 'known.proof !== ""' },
    ],
    tests: ["src/connectors/mcp/user-links.test.ts"],
  },
  {
    invariant: 1,
    name: "a new credential of a user goes on in the old one's session",
    patches: [{ file: "src/connectors/mcp/user-links.ts", find: "known.proof === digest", replace: 'known.proof !== ""' }],
    tests: ["src/connectors/mcp/user-links.test.ts"],
  },
  {
    invariant: 1,
    name: "what an MCP server offers one user is not compared with what was reviewed",
    patches: [
      {
        file: "src/connectors/mcp/source.ts",
        find: "if (held !== undefined && held.digests.get(call.name) !== call.digest)",
        replace: "if (held !== undefined && held.digests.get(call.name) === call.digest.slice(1))",
      },
    ],
    tests: ["src/connectors/mcp/user-links.test.ts"],
  },
  {
    invariant: 1,
    name: "a fact is kept whatever other processes write",
    patches: [{ file: "src/call/shared-writes.ts", find: "if (total <= seenCount) return;", replace: "if (total >= seenCount) return;" }],
    tests: ["src/call/fact-look-ups.test.ts", "src/call/shared-writes.test.ts"],
  },
  {
    invariant: 1,
    name: "a kept fact is relied on while the other processes are not heard",
    patches: [
      {
        file: "src/call/fact-look-ups.ts",
        find: "|| runtime.sharedWrites?.isCurrent(runtime.clock.monotonic()) === false) return undefined;",
        replace: ") return undefined;",
      },
    ],
    tests: ["src/call/fact-look-ups.test.ts"],
  },
  {
    invariant: 1,
    name: "guarded data leave for whomever the directory does not know",
    patches: [
      {
        file: "src/flow/recipients.ts",
        find: "return names !== undefined && readers.some((reader) => names.has(reader));",
        replace: "return names === undefined || readers.some((reader) => names.has(reader));",
      },
    ],
    tests: ["src/call/directory.test.ts", "src/flow/recipients.test.ts"],
  },
  {
    invariant: 1,
    name: "who may read one source may read what is joined to it",
    patches: [
      {
        file: "src/flow/recipients.ts",
        find: "!circles.every((readers) => mayRead(readers, names))",
        replace: "!circles.some((readers) => mayRead(readers, names))",
      },
    ],
    tests: ["src/call/directory.test.ts", "src/flow/recipients.test.ts"],
  },
  {
    invariant: 1,
    name: "a directory that does not answer lets guarded data leave",
    patches: [{ file: "src/call/directory.ts", find: "if (people.length < found.length)", replace: "if (people.length > found.length)" }],
    tests: ["src/call/directory.test.ts"],
  },
  {
    invariant: 1,
    name: "a directory's nearest colleague stands for a stranger",
    patches: [
      {
        file: "src/call/directory.ts",
        find: "if (!holds(answer, asked.toLowerCase())) return undefined;",
        replace: "void holds(answer, asked);",
      },
    ],
    tests: ["src/call/directory.test.ts"],
  },
  {
    invariant: 1,
    name: "one user's token serves another",
    patches: [
      {
        file: "src/connectors/token-exchange.ts",
        find: "JSON.stringify([principal.tenant, principal.user, sha256Hex(subject)])",
        replace: "JSON.stringify([typeof principal.tenant, typeof sha256Hex(subject)])",
      },
    ],
    tests: ["src/connectors/http-credential.test.ts"],
  },
];
