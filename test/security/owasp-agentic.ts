import type { Standard } from "./standards.ts";

/** OWASP Top 10 for Agentic Applications 2026. */
export const owaspAgentic: Standard = {
  title: "OWASP Top 10 for Agentic Applications 2026",
  source: "<https://genai.owasp.org/resource/owasp-top-10-for-agentic-applications-for-2026/>",
  items: [
    {
      id: "ASI01",
      title: "Agent Goal Hijack",
      asks: "text that the agent reads cannot make it act for somebody else than its user",
      state: "partly",
      evidence: [
        {
          file: "test/security/laundering.test.ts",
          titles: ["no attack of the group passes unseen: %s", "whatever the user says, they get no more than their own rights: %s"],
        },
        {
          file: "src/flow/trace.test.ts",
          titles: [
            "refuses, asking nobody, what the user did not ask for towards a target out of untrusted text",
            "content may not carry an address that only untrusted text knows, also when it is written in another notation",
            "an irreversible call wants its object named by the user",
            "more untrusted text never makes a verdict milder",
          ],
        },
        {
          file: "test/hostile/leaks.test.ts",
          titles: ["what a tool returned stands in the answer's result alone, never in a message, notice or error of ours"],
        },
        {
          file: "test/hostile/payloads.test.ts",
          titles: ["words about approval change nothing: not in arguments, not in what was said, not in reasoning"],
        },
        { file: "src/call/pipeline.test.ts", titles: ["a granted read runs and its answer is labelled untrusted"] },
      ],
      gap: "What is said to a target that the user chose may be an attacker's. A record that the user named is followed. What else passes is counted in SECURITY.md.",
    },
    {
      id: "ASI02",
      title: "Tool Misuse and Exploitation",
      asks: "a tool that may be used cannot be used beyond its purpose, in amount, number, order or arguments",
      state: "shown",
      evidence: [
        {
          file: "src/call/history.test.ts",
          titles: [
            "at most so many calls to one target in a window, and again in the next",
            "siblings of one turn cannot complete a forbidden combination together",
          ],
        },
        { file: "src/call/pipeline.test.ts", titles: ["a session's budget is exact at a hundred parallel calls"] },
        {
          file: "src/policy/engine.test.ts",
          titles: ["combines roles, facts, limits of amounts and waivers as an operator would expect", "egress with %j: %s"],
        },
        {
          file: "src/connectors/http.test.ts",
          titles: ["never lets an argument leave its path segment, its query parameter or its header (property)"],
        },
      ],
      gap: "Limits hold where an operator states them; none are guessed.",
    },
    {
      id: "ASI03",
      title: "Identity and Privilege Abuse",
      asks: "an agent acts with the rights of its user and no others, also after they were taken away",
      state: "shown",
      evidence: [
        {
          file: "src/call/pipeline.test.ts",
          titles: [
            "a role that is revoked while a call waits stops it at waking",
            "a foreign record and an absent one are refused in the same words",
          ],
        },
        {
          file: "test/hostile/keys.test.ts",
          titles: ["a replay is answered only to whoever still may call the tool, in a session that still lives"],
        },
        {
          file: "test/hostile/approvals.test.ts",
          titles: [
            "no credential that can make calls can answer, whatever else it may",
            "one person cannot make up a quorum, neither by another credential nor under another name",
          ],
        },
        { file: "src/policy/engine.test.ts", titles: ["never lets a user's attribute replace their name, tenant or roles"] },
        {
          file: "src/connectors/http-credential.test.ts",
          titles: [
            "are each user's own, and never another's",
            "are exchanged where the source says so, once for all who ask, and used until they expire",
          ],
        },
        {
          file: "src/call/delegation.test.ts",
          titles: [
            "may call what it was handed of what the session above may call, and nothing else",
            "does nothing more once what stopped the one above is on disk, in any process and at any moment of its calls",
          ],
        },
      ],
      gap: "Callers are known by API keys; there is no single sign-on.",
    },
    {
      id: "ASI04",
      title: "Agentic Supply Chain Vulnerabilities",
      asks: "tools from elsewhere cannot change, appear or imitate others unnoticed",
      state: "partly",
      evidence: [
        {
          file: "src/call/box/tool-sources.test.ts",
          titles: [
            "may be used once exactly what is offered was admitted, with a record",
            "waits whatever the policy, is not called meanwhile, and goes on when it is as it was or was admitted",
            "cannot admit what deceives: hidden characters, names that look like another source's, names that are too long, schemas that are bombs",
          ],
        },
        { file: "test/hostile/names.test.ts", titles: ["two sources cannot bring the same name, so neither can shadow the other"] },
      ],
      gap: "Definitions are pinned. The program behind a server, models, prompts and packages are not checked.",
    },
    {
      id: "ASI05",
      title: "Unexpected Code Execution (RCE)",
      asks: "text never becomes code that runs with the rights of the host",
      state: "partly",
      evidence: [
        {
          file: "test/hostile/schemas.test.ts",
          titles: ["default values, examples and comments of a foreign schema run nothing and set nothing"],
        },
        { file: "src/policy/condition.test.ts", titles: ["stops a loop over too many items or too many steps instead of running it"] },
        {
          file: "src/connectors/worker.test.ts",
          titles: ["that computes for ever is ended at its timeout, while this thread stays free and the next call gets a new worker"],
        },
      ],
      gap: "Nothing that a model writes is executed by the runtime. There is no sandbox for tools that execute code, and a handler runs with the rights of the process.",
    },
    {
      id: "ASI06",
      title: "Memory & Context Poisoning",
      asks: "what is remembered cannot carry an attacker's words into later decisions",
      state: "partly",
      evidence: [
        { file: "test/security/laundering.test.ts", titles: ["no attack of the group passes unseen: %s"] },
        { file: "test/limits/call.test.ts", titles: ["a handle is of its session alone, and is authorised anew"] },
        { file: "test/limits/cache.test.ts", titles: ["no principal is ever answered with what was read for another (property)"] },
        { file: "src/gateway/mcp/wire.test.ts", titles: ["are one for each conversation and credential, and the same after a restart"] },
      ],
      gap: "Memory of the agent lies outside. An untrusted value that one user's call stored in a trusted record comes back trusted to another user.",
    },
    {
      id: "ASI07",
      title: "Insecure Inter-Agent Communication",
      asks: "agents know each other, and messages between them can be neither forged nor replayed",
      state: "gap",
      evidence: [],
      gap: "There is no protocol between agents; each agent is a caller with a credential of its own.",
    },
    {
      id: "ASI08",
      title: "Cascading Failures",
      asks: "a fault stays where it is, and is not multiplied by agents that repeat",
      state: "shown",
      evidence: [
        {
          file: "test/limits/guards.test.ts",
          titles: [
            "a tool that keeps failing is left alone for `breakerOpenMs`, then probed with `breakerProbes` calls",
            "a source that cannot be reached is left alone as a whole",
            "retries stop as soon as the breaker has opened",
            "`sourceConcurrentMax` holds over all tools of a source, and other sources go on",
          ],
        },
        {
          file: "test/properties/journey.test.ts",
          titles: ["never two effects under one key, whatever is retried at once, fails, or is started again on the same file (property)"],
        },
        {
          file: "src/call/read-only.test.ts",
          titles: ["from the moment the switch is on nothing but reads passes the gate, in another process too, until it is off"],
        },
      ],
    },
    {
      id: "ASI09",
      title: "Human-Agent Trust Exploitation",
      asks: "what a person is shown when asked is true, whole and cannot be dressed up by the agent",
      state: "partly",
      evidence: [
        {
          file: "src/approvals/card.test.ts",
          titles: [
            "keeps a value from imitating the words around it",
            "is one visible line of at most 300 characters whatever the arguments hold",
            "says what will happen, consequential arguments first",
          ],
        },
        { file: "test/hostile/words.test.ts", titles: ["text such as %j in arguments reaches neither card nor event raw"] },
        {
          file: "test/limits/people.test.ts",
          titles: ["one user can have so many calls wait for people, and then no more until one is answered"],
        },
        {
          file: "test/hostile/approval-tampering.test.ts",
          titles: [
            "arguments swapped in the store between question and answer do not run",
            "cannot hide one bad call: what is odd stands in no group, or first in its own",
            "is written out on the card, in the headline, the group and the terminal: %s",
          ],
        },
      ],
      gap: "A person who approves without reading protects nothing. What the agent says to its user in the conversation is not looked at.",
    },
    {
      id: "ASI10",
      title: "Rogue Agents",
      asks: "an agent that does what it should not is noticed, stopped and can be looked into",
      state: "shown",
      evidence: [
        {
          file: "src/call/pipeline.test.ts",
          titles: ["a stopped session makes no more calls, also approved ones", "five refusals of permission stop the session"],
        },
        {
          file: "src/call/read-only.test.ts",
          titles: ["a switch concerns its own tenant and session only, and a call that a person lets through does not pass it"],
        },
        { file: "src/gateway/gateway.test.ts", titles: ["refuses a revoked key at once"] },
      ],
      gap: "Stopped by what it may not do and by people. Behaviour that is unusual and allowed is not noticed.",
    },
  ],
};
