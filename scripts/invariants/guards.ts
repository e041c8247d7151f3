import type { Mutant } from "../invariant.ts";

/** The mechanisms around the journey, each with the change that takes it out: decision points, approvals, flow, sequences, guards, the commit log. */
export const guardMutants: readonly Mutant[] = [
  {
    invariant: 1,
    name: "a delegated session goes on when the one above is stopped",
    patches: [
      {
        file: "src/call/gate.ts",
        find: 'for (const operation of session.lineage) push(claims, "session", operation);',
        replace: "",
      },
    ],
    tests: ["src/call/delegation.test.ts"],
  },
  {
    invariant: 1,
    name: "a delegated session may call what it was not handed",
    patches: [{ file: "src/call/session/live-session.ts", find: "|| handsOn(delegation, tool)", replace: "|| handsOn !== undefined" }],
    tests: ["src/call/delegation.test.ts"],
  },
  {
    invariant: 1,
    name: "calls of a set are looked at one by one",
    patches: [
      {
        file: "src/call/history-together.ts",
        find: "if (found === undefined || history.overruled.has(found.id)) continue;",
        replace: "if (found !== null) continue;",
      },
    ],
    tests: ["src/call/call-set.test.ts"],
  },
  {
    invariant: 1,
    name: "a read cached for one user answers another",
    patches: [
      {
        file: "src/call/cached-reads.ts",
        find: "const whose = [tenant, user, [...roles].sort(), attributes,",
        replace: 'const whose = [tenant, "", [...[] as typeof roles], typeof user === typeof roles ? attributes : null,',
      },
    ],
    tests: ["test/limits/cache.test.ts"],
  },
  {
    invariant: 1,
    name: "a decision point that does not answer is passed over",
    patches: [
      {
        file: "src/call/decision-points.ts",
        find: 'if (answer === undefined) return { kind: "broken", point: point.name, code: "DECISION_UNAVAILABLE" };',
        replace: "if (answer === undefined) continue;",
      },
    ],
    tests: ["src/call/decision-points.test.ts"],
  },
  {
    invariant: 1,
    name: "a decision point's denial is not heard",
    patches: [
      { file: "src/call/decision-points.ts", find: "decision: isDenied ? {", replace: "decision: isDenied && asking.length === 0 ? {" },
    ],
    tests: ["src/call/decision-points.test.ts"],
  },
  {
    invariant: 1,
    name: "a revoked API key goes on being taken",
    patches: [
      { file: "src/gateway/api-keys.ts", find: "holders = holdersOf(next, parts.limits);", replace: "holdersOf(next, parts.limits);" },
    ],
    tests: ["src/gateway/gateway.test.ts"],
  },
  {
    invariant: 2,
    name: "a frame of the commit log is taken as it is",
    patches: [
      {
        file: "src/store/log-frame.ts",
        find: "if (crc32(bytes.subarray(start + lengthAt, end)) !== bytes.readUInt32LE(start + checksumAt)) return undefined;",
        replace: "",
      },
    ],
    tests: ["src/store/log-file.test.ts"],
  },
  {
    invariant: 2,
    name: "frames of an earlier lap of the commit log are taken",
    patches: [
      {
        file: "src/store/log-file.ts",
        find: "return bytes.subarray(at, at + saltBytes).equals(salt) ? frameAt(bytes, at) : undefined;",
        replace: "return salt.length > 0 ? frameAt(bytes, at) : undefined;",
      },
    ],
    tests: ["src/store/log-file.test.ts"],
  },
  {
    invariant: 2,
    name: "a hole in the commit log is passed over",
    patches: [
      {
        file: "src/store/log-file.ts",
        find: "refuseHole(path, bytes, salt, at, header.firstFrame + places.length);",
        replace: "void refuseHole;",
      },
    ],
    tests: ["src/store/log-file.test.ts"],
  },
  {
    invariant: 3,
    name: "a call that is not a read is hedged",
    patches: [{ file: "src/resilience/hedge.ts", find: 'tool.tier !== "read" || tool.isForeign || ', replace: "" }],
    tests: ["src/resilience/hedge.test.ts"],
  },
  {
    invariant: 3,
    name: "a call that ended unknown is not given to a person",
    patches: [
      {
        file: "src/call/dead-letters.ts",
        find: 'if (outcome.kind === "unknown" || endedUnheard(state, outcome)) {',
        replace: "if (endedUnheard(state, outcome)) {",
      },
    ],
    tests: ["src/call/dead-letters.test.ts"],
  },
  {
    invariant: 4,
    name: "a yes for the session that is over is relied on",
    patches: [
      {
        file: "src/call/gate.ts",
        find: 'if (state.widening !== undefined) push(claims, "widening", { op: "expect", ...state.widening });',
        replace: "",
      },
    ],
    tests: ["src/call/desk/approval-decisions.test.ts"],
  },
  {
    invariant: 4,
    name: "a yes for the session holds for any amount",
    patches: [{ file: "src/approvals/widening.ts", find: "if (larger !== undefined) return `", replace: "if (larger === null) return `" }],
    tests: ["src/call/desk/approval-decisions.test.ts", "src/approvals"],
  },
  {
    invariant: 4,
    name: "who changes a call's arguments needs no right of their own",
    patches: [
      { file: "src/call/desk/edit-approval.ts", find: 'if (verdict.kind !== "proceed") throw notTheirs(tool);', replace: "void verdict;" },
    ],
    tests: ["src/call/desk/approval-decisions.test.ts"],
  },
  {
    invariant: 4,
    name: "the user who asked approves their own call",
    patches: [
      {
        file: "src/approvals/approvals.ts",
        find: 'if (approval.gate === "approval" && isSamePerson(attempt.by, approval.principal.user))',
        replace: 'if (isSamePerson(attempt.by, ""))',
      },
    ],
    tests: ["src/call/desk/approval-decisions.test.ts"],
  },
  {
    invariant: 4,
    name: "a webhook's signature leaves out when it was sent",
    patches: [
      {
        file: "src/connectors/webhook.ts",
        find: 'createHmac("sha256", key).update(`${id}.${timestamp}.${body}`)',
        replace: 'createHmac("sha256", key).update(`${id}.${body}`)',
      },
    ],
    tests: ["src/call/notices.test.ts"],
  },
  {
    invariant: 4,
    name: "a confirmation over MCP may be made up",
    patches: [
      {
        file: "src/gateway/mcp/confirmation.ts",
        find: "if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;",
        replace: "void timingSafeEqual;",
      },
    ],
    tests: ["src/gateway/mcp"],
  },
  {
    invariant: 6,
    name: "what was forgotten counts as never read",
    patches: [{ file: "src/flow/shingles.ts", find: "(this.#isInBloom(hash) ? forgottenOrigin : undefined)", replace: "undefined" }],
    tests: ["src/call/flow-bounds.test.ts", "src/flow"],
  },
  {
    invariant: 6,
    name: "a new session sheds what restricts",
    patches: [
      {
        file: "src/call/flow-desk.ts",
        find: "const key = `${readerOf(session)}/${session.principal.tenant}`;",
        replace: "const key = `${readerOf(session)}/${session.principal.tenant}/${session.id}`;",
      },
    ],
    tests: ["src/call/trace.test.ts"],
  },
  {
    invariant: 6,
    name: "what was read elsewhere is not looked for",
    patches: [
      {
        file: "src/call/flow-desk.ts",
        find: "const looking = this.#lookAround(session, reader);",
        replace: "const looking = reader.restrictions.bytes < 0 ? this.#lookAround(session, reader) : undefined;",
      },
    ],
    tests: ["src/call/readers.test.ts"],
  },
  {
    invariant: 6,
    name: "a second process that serves a session is not noticed",
    patches: [
      {
        file: "src/call/session/sessions.ts",
        find: "body.isShared === true || !isShared(store)",
        replace: "body !== null || !isShared(store)",
      },
    ],
    tests: ["src/call/readers.test.ts"],
  },
  {
    invariant: 6,
    name: "a restart forgets what was read",
    patches: [
      {
        file: "src/call/flow-desk.ts",
        find: "if (!takeIn(parts, knowledge, past, items)) knowledge",
        replace: "if (items.length < 0 && !takeIn(parts, knowledge, past, items)) knowledge",
      },
    ],
    tests: ["src/call/flow-restart.test.ts"],
  },
  {
    invariant: 6,
    name: "what is read again does not restrict again",
    patches: [
      {
        file: "src/flow/knowledge.ts",
        find: "if (known?.table === table && known.labels",
        replace: "if (known !== undefined && known.labels",
      },
    ],
    tests: ["src/flow"],
  },
  {
    invariant: 7,
    name: "an open breaker lets calls through",
    patches: [{ file: "src/resilience/breaker.ts", find: "if (nowMs < breaker.openUntilMs) return {", replace: "if (nowMs < 0) return {" }],
    tests: ["src/resilience/breaker.test.ts"],
  },
  {
    invariant: 7,
    name: "a sequence has no limit",
    patches: [
      {
        file: "src/call/history.ts",
        find: "if (value + claim.delta <= claim.max) return undefined;",
        replace: "if (value !== null) return undefined;",
      },
    ],
    tests: ["src/call/history.test.ts"],
  },
  {
    invariant: 7,
    name: "classes of data may be brought together",
    patches: [
      {
        file: "src/call/history.ts",
        find: "if (together.size <= claim.atMost || together.size === used.length) return undefined;",
        replace: "if (used !== null) return undefined;",
      },
    ],
    tests: ["src/call/history.test.ts"],
  },
  {
    invariant: 7,
    name: "rules over earlier calls are not claimed",
    patches: [
      {
        file: "src/call/gate.ts",
        find: 'for (const operation of historyClaims(state)) push(claims, "history", operation);',
        replace: "void historyClaims;",
      },
    ],
    tests: ["src/call/history.test.ts"],
  },
  {
    invariant: 7,
    name: "an overloaded process takes every call",
    patches: [
      {
        file: "src/resilience/load.ts",
        find: "const isOver = running >= callsRunningMax || isLate || isBeyondShare(tenant);",
        replace: "const isOver = isLate && isBeyondShare(tenant) && running < 0;",
      },
    ],
    tests: ["src/resilience/load.test.ts"],
  },
];
