import type { Mutant } from "../invariant.ts";

/** The mechanisms by which calls wait for a person, a time or a plan, each with the change that takes it out. */
export const waitMutants: readonly Mutant[] = [
  {
    invariant: 3,
    name: "a call that was put off wakes in every process that finds it due",
    patches: [
      { file: "src/call/desk/waking.ts", find: "row?.version !== at.version ||", replace: "" },
      {
        file: "src/call/deferral-rows.ts",
        find: "key: deferralKey(tenant, callId), expect: version }",
        replace: "key: deferralKey(tenant, callId) }",
      },
      {
        file: "src/call/gate.ts",
        find: 'push(claims, "key", { ...put, expect: state.keyRow?.version ?? "absent", isMinted });',
        replace: 'push(claims, "key", put);',
      },
    ],
    tests: ["src/call/defer.test.ts"],
  },
  {
    invariant: 4,
    name: "a sweep wakes what nobody has approved",
    patches: [
      { file: "src/call/desk/approval-desk.ts", find: '    if (approval.state !== "approved") return undefined;\n', replace: "" },
      {
        file: "src/call/desk/approval-desk.ts",
        find: 'approval.state === "pending" ? approval.expiresAtMs',
        replace: 'approval.state === "pending" ? 0',
      },
    ],
    tests: ["src/call/approval-quorum.test.ts", "src/call/desk"],
  },
  {
    invariant: 4,
    name: "sealed arguments of a call that waited are kept when it has run",
    patches: [
      {
        file: "src/call/settle.ts",
        find: '    operations.push({ op: "delete", key: { space: "parked", tenant, key: state.callId } });\n',
        replace: "    operations.push();\n",
      },
    ],
    tests: ["src/call/defer.test.ts", "src/call/desk"],
  },
  {
    invariant: 4,
    name: "sealed arguments of a call that was refused are kept",
    patches: [
      {
        file: "src/call/release.ts",
        find: 'const operations: Operation[] = [{ op: "delete", key: parkedKey }];',
        replace: "const operations: Operation[] = [];",
      },
    ],
    tests: ["src/call/defer.test.ts", "src/call/desk"],
  },
  {
    invariant: 4,
    name: "one person stands for every group that they are in",
    patches: [
      { file: "src/approvals/one-of-each.ts", find: "      return true;\n", replace: "" },
      { file: "src/approvals/approvals.ts", find: "const isAgreed = yeses.length >= approval.quorum && ", replace: "const isAgreed = " },
    ],
    tests: ["src/approvals", "src/call/approval-each.test.ts"],
  },
  {
    invariant: 4,
    name: "any two people answer where each group has to agree",
    patches: [
      {
        file: "src/approvals/approvals.ts",
        find: " && (wanted === undefined || wanted.length === 0)",
        replace: "",
      },
      { file: "src/approvals/approvals.ts", find: "?? refuseUnneeded(approval, credential, answersTo)", replace: "" },
    ],
    tests: ["src/call/approval-each.test.ts"],
  },
  {
    invariant: 7,
    name: "a call gives back what it took of a plan, whatever became of it",
    patches: [
      {
        file: "src/call/settle.ts",
        find: 'if (state.step !== undefined && effect === "none" && outcome.kind !== "completed")',
        replace: "if (state.step !== undefined)",
      },
    ],
    tests: ["src/call/plans.test.ts"],
  },
  {
    invariant: 7,
    name: "who waits is counted and never leaves the count",
    patches: [
      { file: "src/call/deferral-rows.ts", find: '    { op: "add", key: deferredCounter(tenant, user), delta: -1 },\n', replace: "" },
    ],
    tests: ["src/call/defer.test.ts"],
  },
];
