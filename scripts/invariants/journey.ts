import type { Mutant } from "../invariant.ts";

const journey = ["src/call/pipeline.test.ts", "src/call/invariants.test.ts"];

/** The mechanisms of the journey itself, each with the change that takes it out. */
export const journeyMutants: readonly Mutant[] = [
  {
    invariant: 1,
    name: "a denial does not stop the call",
    patches: [
      { file: "src/call/authorize.ts", find: 'if (decision.effect === "deny") return', replace: 'if (decision.effect === "defer") return' },
    ],
    tests: journey,
  },
  {
    invariant: 1,
    name: "a fact that cannot be looked up is taken as nothing",
    patches: [
      {
        file: "src/call/fact-look-ups.ts",
        find: 'return outcome.kind === "failed" && outcome.error.code === "TOOL_REFUSED" ? null : undefined;',
        replace: 'return outcome.kind === "failed" && outcome.error.code === "TOOL_REFUSED" ? null : {};',
      },
    ],
    tests: journey,
  },
  {
    invariant: 1,
    name: "tools are found whether granted or not",
    patches: [
      {
        file: "src/call/resolve.ts",
        find: "registry.resolve(call.name, (tool) => isInside || session.mayUse(tool))",
        replace: "registry.resolve(call.name, () => true)",
      },
    ],
    tests: journey,
  },
  {
    invariant: 2,
    name: "a write does not wait for its intent",
    patches: [{ file: "src/call/gate.ts", find: 'registered?.tool.tier === "read" ? "claimed" : "durable"', replace: '"claimed"' }],
    tests: journey,
  },
  {
    invariant: 2,
    name: "a failed intent is passed over",
    patches: [
      {
        file: "src/call/gate.ts",
        find: "return stopWith(unrecordedIntent(cause));",
        replace: "state.isClaimed = true; return proceed;",
      },
      {
        file: "src/call/gate.ts",
        find: "(cause: unknown) => stopWith(unrecordedIntent(cause)),",
        replace: "() => { state.isClaimed = true; return proceed; },",
      },
    ],
    tests: journey,
  },
  {
    invariant: 3,
    name: "keys are claimed without looking",
    patches: [{ file: "src/call/gate.ts", find: 'expect: state.keyRow?.version ?? "absent", isMinted });', replace: "});" }],
    tests: journey,
  },
  {
    invariant: 3,
    name: "a key that somebody chose is not looked for",
    patches: [{ file: "src/call/gate.ts", find: "const isMinted = !isAddressable &&", replace: "const isMinted =" }],
    tests: ["src/call/assumed-new.test.ts"],
  },
  {
    invariant: 3,
    name: "a finished key runs again",
    patches: [
      {
        file: "src/call/replay.ts",
        find: 'if (claim === undefined || claim.state === "free") return proceed;',
        replace: "if (claim !== null) return proceed;",
      },
    ],
    tests: journey,
  },
  {
    invariant: 3,
    name: "the same meaning is not noticed",
    patches: [
      {
        file: "src/call/deduplicate.ts",
        find: "state.meaningRow === undefined ? proceed : compareWith(state, state.meaningRow)",
        replace: "state.meaningRow === null ? compareWith(state, state.meaningRow) : proceed",
      },
    ],
    tests: journey,
  },
  {
    invariant: 4,
    name: "what asks does not suspend",
    patches: [
      {
        file: "src/call/approve.ts",
        find: "if (approval === undefined) return askUnlessWidened(state, decision);",
        replace: "if (approval === undefined) return proceed;",
      },
    ],
    tests: journey,
  },
  {
    invariant: 4,
    name: "an approval is not compared with what would run",
    patches: [{ file: "src/call/approve.ts", find: "if (gap === undefined) {", replace: "if (gap !== null) {" }],
    tests: journey,
  },
  {
    invariant: 4,
    name: "an approval can be answered twice",
    patches: [
      {
        file: "src/approvals/approvals.ts",
        find: 'if (approval.state !== "pending") return',
        replace: 'if (approval.state === "void") return',
      },
      {
        file: "src/call/desk/approval-desk.ts",
        find: "body: approval as unknown as Json, expect: row.version, dueMs },",
        replace: "body: approval as unknown as Json, dueMs },",
      },
      { file: "src/call/gate.ts", find: "    expect: version,\n", replace: "" },
    ],
    tests: journey,
  },
  {
    invariant: 4,
    name: "the credential that called may answer",
    patches: [
      {
        file: "src/approvals/approvals.ts",
        find: "if (credential.id === approval.callerCredentialId || credential.actsFor.length > 0)",
        replace: "if (credential.id === undefined)",
      },
    ],
    tests: journey,
  },
  {
    invariant: 5,
    name: "the reply deadline is not raced",
    patches: [{ file: "src/call/box/carry.ts", find: "return inTime(state, counted);", replace: "return counted;" }],
    tests: journey,
  },
  {
    invariant: 6,
    name: "where arguments came from decides nothing",
    patches: [
      {
        file: "src/call/trace.ts",
        find: "  state.decision = withDrift(",
        replace: "  if (traced === undefined) state.decision = withDrift(",
      },
    ],
    tests: ["src/call/trace.test.ts"],
  },
  {
    invariant: 6,
    name: "arguments stand in the ledger in the clear",
    patches: [{ file: "src/call/record.ts", find: "    key: state.key?.text,", replace: "    key: state.texts?.text," }],
    tests: journey,
  },
  {
    invariant: 7,
    name: "throttle admits without counting",
    patches: [{ file: "src/budget/throttle.ts", find: "bucket.tokens -= 1;", replace: "" }],
    tests: ["src/budget/throttle.test.ts"],
  },
  {
    invariant: 7,
    name: "session budgets have no maximum",
    patches: [{ file: "src/budget/holds.ts", find: "delta: 1, max: budget.calls }", replace: "delta: 1 }" }],
    tests: journey,
  },
  {
    invariant: 7,
    name: "refusals are not counted",
    patches: [{ file: "src/call/record.ts", find: ", max: runtime.limits.sessionDenialsMax - 1 }", replace: " }" }],
    tests: journey,
  },
  {
    invariant: 4,
    name: "a group is answered whatever its digest says",
    patches: [{ file: "src/approvals/groups.ts", find: "    digestOf(approvals) === digest;", replace: "    digest !== undefined;" }],
    tests: ["src/call/desk/approval-groups.test.ts"],
  },
  {
    invariant: 7,
    name: "people are asked as often as it comes",
    patches: [{ file: "src/call/ask-rates.ts", find: "    max: limits.approvalAsksPerMinuteMax,\n", replace: "" }],
    tests: ["src/call/desk/approval-groups.test.ts"],
  },
  {
    invariant: 4,
    name: "a plan holds for every session",
    patches: [
      { file: "src/call/plan-fit.ts", find: "body.sessionId !== session.id ||", replace: "" },
      {
        file: "src/call/plan-fit.ts",
        find: "session.plans.map((id) => planKey(session.principal.tenant, id))",
        replace:
          '(await runtime.store.scan({ space: "plan", tenant: session.principal.tenant, limit: 9 })).map(({ key }) => planKey(session.principal.tenant, key))',
      },
      { file: "src/call/trace.ts", find: "session.plans.length > 0 && ", replace: "" },
    ],
    tests: ["src/call/plans.test.ts"],
  },
  {
    invariant: 4,
    name: "a plan that was taken back still holds",
    patches: [
      { file: "src/call/plan-fit.ts", find: 'body.state !== "approved" ||', replace: "" },
      { file: "src/call/plan-fit.ts", find: 'if (plan.state !== "approved") continue;', replace: "" },
    ],
    tests: ["src/call/plans.test.ts"],
  },
  {
    invariant: 6,
    name: "a plan vouches for what it leaves open",
    patches: [
      { file: "src/approvals/plans.ts", find: "given.filter((name) => isExact(step.arguments[name] as PlanValue))", replace: "given" },
    ],
    tests: ["src/call/plans.test.ts", "src/approvals/plans.test.ts"],
  },
  {
    invariant: 7,
    name: "the gate takes nothing from the step of a plan",
    patches: [
      { file: "src/call/plan-fit.ts", find: "delta: 1, max: step.callsMax }", replace: "delta: 1, max: 999 }" },
      { file: "src/call/plan-fit.ts", find: "max: microsOf(step.total.max) ?? 0 }", replace: "max: Number.MAX_SAFE_INTEGER }" },
    ],
    tests: ["src/call/plans.test.ts"],
  },
  {
    invariant: 7,
    name: "the step of a plan is looked at and not claimed",
    patches: [
      {
        file: "src/call/gate.ts",
        find: '  if (state.step !== undefined) for (const operation of stepClaims(state.step)) push(claims, "plan", operation);\n',
        replace: "  void stepClaims;\n",
      },
    ],
    tests: ["src/call/plans.test.ts"],
  },
  {
    invariant: 8,
    name: "an observer's error reaches the call",
    patches: [
      {
        file: "src/call/box/observers.ts",
        find: "    try {\n      observer(event);\n    } catch {\n",
        replace: "    if (event !== undefined) {\n      observer(event);\n    } else {\n",
      },
    ],
    tests: journey,
  },
  {
    invariant: 8,
    name: "a result that was not recorded is given all the same",
    patches: [
      {
        file: "src/call/settle.ts",
        find: 'return { kind: "stop", outcome: unrecorded(state, outcome, cause) };',
        replace: 'void unrecorded; return { kind: "stop", outcome };',
      },
    ],
    tests: journey,
  },
];
