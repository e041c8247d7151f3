import type { Standard } from "./standards.ts";

/** AARM 1.0, requirements R1 to R9. */
export const aarm: Standard = {
  title: "AARM 1.0 (Autonomous Action Runtime Management)",
  source: "<https://aarm.dev/conformance>, arXiv 2602.09433",
  items: [
    {
      id: "R1",
      title: "Pre-execution interception",
      asks: "nothing that the agent does reaches its target before it was decided",
      state: "shown",
      evidence: [
        {
          file: "src/call/invariants.test.ts",
          titles: [
            "invariant 1: what the policy denies never reaches the tool",
            "invariant 2: a write leaves only after its intent is on disk",
            "invariant 2: an intent that cannot be written stops the effect",
          ],
        },
        { file: "src/call/pipeline.test.ts", titles: ["the stages stand in the one safe order"] },
        {
          file: "src/call/decision-points.test.ts",
          titles: ["what answers garbage, not at all or not in time denies, and nothing is executed"],
        },
        {
          file: "test/scenarios/parity-mcp.test.ts",
          titles: ["MCP gives the same outcome, decision and ledger as the library for the same calls"],
        },
      ],
      gap: "An agent that holds credentials of its own for the same systems goes around any runtime; that is for the installation to prevent.",
    },
    {
      id: "R2",
      title: "Context accumulation",
      asks: "what the user wanted, what was done before and what was read are kept and can be decided on",
      state: "partly",
      evidence: [
        {
          file: "src/flow/trace.test.ts",
          titles: [
            "asks where the target is known only from untrusted text, though the user asked for the action",
            "what was read as untrusted is never taken for trusted, whatever else is read and forgotten",
          ],
        },
        { file: "src/call/flow-bounds.test.ts", titles: ["what was read restricts new sessions for `flowDecayMs`"] },
        {
          file: "src/call/history.test.ts",
          titles: [
            "one thing only after another, for the same target, and not too long after",
            "the read that would complete a forbidden combination is stopped before it happens, in any conversation of the user",
            "a sum is exact over racing calls of two boxes on one store",
          ],
        },
        { file: "src/call/pipeline.test.ts", titles: ["a granted read runs and its answer is labelled untrusted"] },
      ],
      gap: "What was read is known in the memory of one process: after a restart a conversation begins anew, with questions where there was knowledge. Reasoning of the agent is recorded, not decided on.",
    },
    {
      id: "R3",
      title: "Policy evaluation with intent alignment",
      asks: "each action is judged by a policy, and by whether it fits what the user asked for",
      state: "shown",
      evidence: [
        {
          file: "src/flow/trace.test.ts",
          titles: [
            "refuses, asking nobody, what the user did not ask for towards a target out of untrusted text",
            "a request in %s is understood",
            "what is quoted or to be remembered is not asked for",
            "a language without a pack is unknown, not a refusal",
          ],
        },
        {
          file: "src/policy/engine.test.ts",
          titles: [
            "denies what no role grants, whatever the rules say",
            "combines roles, facts, limits of amounts and waivers as an operator would expect",
            "never turns anything but an allow into an allow when a denial is added, and deny wins in any order",
          ],
        },
      ],
      gap: "Alignment is with the user's words, found by verbs of five languages or phrases that tools declare, not with their meaning. A change of what is said to a target that the user chose is not noticed.",
    },
    {
      id: "R4",
      title: "Five authorization decisions",
      asks: "a decision can be ALLOW, DENY, MODIFY, STEP_UP or DEFER",
      state: "partly",
      evidence: [
        { file: "src/call/desk/approval-desk.test.ts", titles: ["a question outlives a restart, and the answer runs the call once"] },
        { file: "test/hostile/approvals.test.ts", titles: ["an approval is for its arguments: a cent more asks for itself"] },
        { file: "test/limits/people.test.ts", titles: ["nothing waives the approval of a privileged call: no rule, no role"] },
      ],
      gap: "ALLOW, DENY and STEP_UP (confirmation by the user, approval by another person). There is no MODIFY and no DEFER.",
    },
    {
      id: "R5",
      title: "Tamper-evident receipts",
      asks: "every judged action leaves a receipt whose change, removal or reordering is noticed",
      state: "shown",
      evidence: [
        { file: "src/call/pipeline.test.ts", titles: ["every call leaves a trail: intent before the effect, outcome after it"] },
        {
          file: "src/ledger/verify.test.ts",
          titles: [
            "names an entry whose text was edited",
            "names two entries that were exchanged",
            "reports an edit even when everything after it was sealed anew",
            "shows a cut-off end with an anchor, and as unprotected without one",
            "does not take a checkpoint for signed that another key signed, or whose signature was exchanged",
          ],
        },
      ],
      gap: "Without an anchor kept outside the store, whoever holds the store and its keys can replace the whole of it.",
    },
    {
      id: "R6",
      title: "Identity binding",
      asks: "each receipt is bound cryptographically to the identity of the agent",
      state: "partly",
      evidence: [
        { file: "test/hostile/keys.test.ts", titles: ["the outcome of a call is told to its own tenant and credential alone"] },
        { file: "src/ledger/verify.test.ts", titles: ["names an entry whose text was edited"] },
        {
          file: "src/gateway/gateway.test.ts",
          titles: ["a session of another credential or tenant looks exactly like one that does not exist"],
        },
      ],
      gap: "Entries name tenant, user and credential, and the chain that covers them is signed by the installation. The agent has no key of its own that signs.",
    },
    {
      id: "R7",
      title: "Semantic distance tracking",
      asks: "how far an action is from the stated intent is measured, and drift is flagged",
      state: "gap",
      evidence: [],
      gap: "No distance is measured.",
    },
    {
      id: "R8",
      title: "Telemetry export",
      asks: "what happens can be followed in a standard format by other systems",
      state: "partly",
      evidence: [
        {
          file: "src/gateway/bounds.test.ts",
          titles: ["eventStreamsMax, eventStreamBytesMax and eventPingMs hold, and no event can forge another"],
        },
        { file: "src/gateway/parts.test.ts", titles: ["says the class and place of a throw, never its words"] },
      ],
      gap: "There are a stream of events, a structured log and an export of the ledger, with the W3C trace id. OpenTelemetry and the formats of security monitors are missing.",
    },
    {
      id: "R9",
      title: "Least privilege enforcement",
      asks: "tools and credentials are narrowed to what the action needs, at the time it happens",
      state: "partly",
      evidence: [
        {
          file: "test/hostile/policies.test.ts",
          titles: [
            "nothing is granted unless a role says so: no policy, no role, an unknown role and a role of another name grant nothing",
            "a user sees exactly the tools that their roles grant, in every form",
          ],
        },
        { file: "src/call/pipeline.test.ts", titles: ["a role that is revoked while a call waits stops it at waking"] },
        {
          file: "src/connectors/http.test.ts",
          titles: ["fails without effect when its credential cannot be resolved, and says nothing of it"],
        },
        {
          file: "src/connectors/ssrf-guard.test.ts",
          titles: ["sends no credential and no header of the template to another origin"],
        },
        {
          file: "test/scenarios/own-credentials.test.ts",
          titles: ["a configured source acts with the exchanged credential of each user, which nothing else ever shows"],
        },
        {
          file: "src/call/delegation.test.ts",
          titles: ["may call what it was handed of what the session above may call, and nothing else"],
        },
      ],
      gap: "A source behind HTTP can act with each user's own credential; one behind MCP acts with the installation's. No token is narrowed to a single action.",
    },
  ],
};
