import type { Mutant } from "../invariant.ts";

const narrowed = ["src/call/narrow.test.ts", "src/policy/narrowing.test.ts"];

/** What holds of rules that modify and defer, of facts that are kept, and of data that nobody labelled, each with the change that takes it out. */
export const effectMutants: readonly Mutant[] = [
  {
    invariant: 4,
    name: "a call that cannot be taken back is changed silently",
    patches: [
      {
        file: "src/policy/ask.ts",
        find: 'if (changes === undefined || tool.tier === "read" || tool.tier === "reversible") return asked;',
        replace: 'if (changes === undefined || tool.name !== "") return asked;',
      },
    ],
    tests: narrowed,
  },
  {
    invariant: 1,
    name: "arguments are narrowed of which no tool says that less does less",
    patches: [
      {
        file: "src/policy/narrowing.ts",
        find: "if (tool.narrows === undefined || !Object.hasOwn(tool.narrows, argument) || tool.narrows[argument] !== operator)",
        replace: 'if (tool.name === "")',
      },
    ],
    tests: narrowed,
  },
  {
    invariant: 1,
    name: "what denies the call as it was sent is not heard once it is narrowed",
    patches: [
      {
        file: "src/policy/decide.ts",
        find: "reasons.push(...new Set([...stricter, ...narrowed, ...after]));",
        replace: "reasons.push(...new Set([...narrowed, ...after]));",
      },
    ],
    tests: narrowed,
  },
  {
    invariant: 1,
    name: "a call that a rule puts off goes on at once",
    patches: [
      {
        file: "src/call/approve.ts",
        find: 'if (decision.effect === "defer") return { kind: "suspend", decision };',
        replace: "",
      },
    ],
    tests: ["src/call/defer.test.ts"],
  },
  {
    invariant: 3,
    name: "a call that woke goes on waiting",
    patches: [
      {
        file: "src/call/gate.ts",
        find: 'if (state.deferral !== undefined) for (const operation of deferralOver(state.deferral)) push(claims, "deferral", operation);',
        replace: "void deferralOver;",
      },
    ],
    tests: ["src/call/defer.test.ts"],
  },
  {
    invariant: 4,
    name: "a call that waited is judged by facts of before",
    patches: [
      {
        file: "src/call/fact-look-ups.ts",
        find: "return waitingSinceMs === undefined && againCount === 0 &&",
        replace: "return againCount === 0 && waitingSinceMs !== -1 &&",
      },
    ],
    tests: ["src/call/fact-look-ups.test.ts"],
  },
  {
    invariant: 1,
    name: "a record of somebody else costs more than one that is not there",
    patches: [
      {
        file: "src/call/authorize.ts",
        find: 'return first.effect === "deny" ? decide(state, input, input.args, []) : decideWithHistory(state, input);',
        replace: "return first.effect === undefined ? decide(state, input, input.args, []) : decideWithHistory(state, input);",
      },
    ],
    tests: ["src/call/fact-look-ups.test.ts"],
  },
  {
    invariant: 6,
    name: "what looks personal leaves because nobody labelled it",
    patches: [
      {
        file: "src/flow/knowledge.ts",
        find: "if (restrictions.isGuessing && !label.saysWho)",
        replace: "if (label.saysWho && restrictions.isGuessing)",
      },
    ],
    tests: ["src/flow/guessed.test.ts", "src/call/personal-data.test.ts"],
  },
  {
    invariant: 6,
    name: "what looks personal leaves because the user asked for something else",
    patches: [{ file: "src/flow/guessed-content.ts", find: "namesKind(sentence, kind) ||", replace: "" }],
    tests: ["src/flow/guessed.test.ts"],
  },
];
