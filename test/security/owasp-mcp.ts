import type { Standard } from "./standards.ts";

/** OWASP MCP Top 10, beta of 2025. */
export const owaspMcp: Standard = {
  title: "OWASP MCP Top 10 (beta)",
  source: "<https://owasp.org/www-project-mcp-top-10/>",
  items: [
    {
      id: "MCP01",
      title: "Token Mismanagement & Secret Exposure",
      asks: "credentials do not lie in configurations, reach models or stand in logs",
      state: "shown",
      evidence: [
        {
          file: "test/hostile/leaks.test.ts",
          titles: [
            "a secret's value appears in no answer, event, trouble or ledger entry, in whatever form the tool gives it back",
            "a secret that cannot be resolved is named to nobody but as a reference",
          ],
        },
        {
          file: "src/connectors/mcp/stdio.test.ts",
          titles: ["gets no variable of ours besides the common ones, and secrets only where they were configured"],
        },
        { file: "src/redaction/redact.test.ts", titles: ["never leave in any usual encoding, wherever they stand (property)"] },
        {
          file: "src/secrets/resolver.test.ts",
          titles: ["are read again after a short while, so that a rotated one is used without a restart"],
        },
      ],
      gap: "API keys of callers do not expire by themselves.",
    },
    {
      id: "MCP02",
      title: "Privilege Escalation via Scope Creep",
      asks: "what a client may do does not widen by itself over time",
      state: "shown",
      evidence: [
        {
          file: "src/registry/admission.test.ts",
          titles: [
            "admits no more under a narrower policy than under a wider one",
            "never lets a changed definition pass, under any policy",
          ],
        },
        { file: "src/call/box/tool-sources.test.ts", titles: ["decides tiers, not what the source says of itself"] },
        {
          file: "test/hostile/policies.test.ts",
          titles: [
            "nothing is granted unless a role says so: no policy, no role, an unknown role and a role of another name grant nothing",
          ],
        },
      ],
    },
    {
      id: "MCP03",
      title: "Tool Poisoning",
      asks: "definitions of tools cannot deceive the model, nor change after somebody looked at them",
      state: "shown",
      evidence: [
        {
          file: "src/call/box/tool-sources.test.ts",
          titles: [
            "is noticed in members that nobody here reads",
            "is noticed after a restart",
            "waits whatever the policy, is not called meanwhile, and goes on when it is as it was or was admitted",
          ],
        },
        { file: "test/hostile/names.test.ts", titles: ["hidden characters in a %s are refused"] },
        { file: "src/registry/registry.test.ts", titles: ["refuses a tool from outside that looks like one of another source"] },
      ],
      gap: "A plain sentence that misleads the model is for the person who admits the definition to see.",
    },
    {
      id: "MCP04",
      title: "Software Supply Chain Attacks & Dependency Tampering",
      asks: "servers and packages are what they were when somebody trusted them",
      state: "partly",
      evidence: [{ file: "src/registry/admission.test.ts", titles: ["never lets a definition with problems pass"] }],
      gap: "Definitions are pinned; the program of a server is not.",
    },
    {
      id: "MCP05",
      title: "Command Injection & Execution",
      asks: "arguments reach commands, paths and queries as data only",
      state: "partly",
      evidence: [
        {
          file: "src/connectors/http.test.ts",
          titles: ["never lets an argument leave its path segment, its query parameter or its header (property)"],
        },
        {
          file: "src/connectors/ssrf-guard.test.ts",
          titles: ["checks every hop: metadata, undeclared hosts, other schemes and user names are refused"],
        },
        { file: "test/hostile/payloads.test.ts", titles: ["arguments as an object with %s are refused"] },
      ],
      gap: "HTTP requests are built safely. What a server or handler does with its arguments is its own; arguments are not cleaned by role.",
    },
    {
      id: "MCP06",
      title: "Intent Flow Subversion",
      asks: "text in results and resources cannot turn into actions",
      state: "partly",
      evidence: [
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
          file: "src/connectors/mcp/stdio.test.ts",
          titles: [
            "takes an error of the tool as one whose effect nobody knows, and quotes it without control characters",
            "hands a structure over, one level down where it spells a member of ours",
          ],
        },
      ],
      gap: "As ASI01 of the list for agents.",
    },
    {
      id: "MCP07",
      title: "Insufficient Authentication & Authorization",
      asks: "every client is known, and every call is allowed for its user",
      state: "shown",
      evidence: [
        {
          file: "src/gateway/mcp/wire.test.ts",
          titles: [
            "refuses who has no key, the key of an approver, and a credential without a user",
            "refuses pages of other origins and names that are not served, with 403",
            "knows no session of another credential, and says so as a client expects it",
          ],
        },
        { file: "src/gateway/mcp/clients.test.ts", titles: ["shows a narrower user fewer tools"] },
        {
          file: "src/gateway/mcp/confirmation.test.ts",
          titles: [
            "refuses every state that is not byte for byte the one that was given out",
            "is never asked like this where another person has to approve",
          ],
        },
      ],
      gap: "API keys only; OAuth is missing on both sides.",
    },
    {
      id: "MCP08",
      title: "Lack of Audit and Telemetry",
      asks: "what was called, by whom and with what outcome can be shown afterwards",
      state: "shown",
      evidence: [
        {
          file: "test/scenarios/parity-mcp.test.ts",
          titles: ["MCP gives the same outcome, decision and ledger as the library for the same calls"],
        },
        {
          file: "src/gateway/gateway.test.ts",
          titles: ["a caller sees the trail of its call without private values, an administrator with them"],
        },
        { file: "src/ledger/verify.test.ts", titles: ["names an entry that was removed with its batch"] },
      ],
      gap: "OpenTelemetry is missing.",
    },
    {
      id: "MCP09",
      title: "Shadow MCP Servers",
      asks: "no server is used that nobody answers for",
      state: "partly",
      evidence: [
        {
          file: "src/call/box/tool-sources.test.ts",
          titles: [
            "shows nothing at its first start, and answers calls of what waits with the reason",
            "may not call a source what tools of our own are called",
          ],
        },
        {
          file: "src/connectors/mcp/http.test.ts",
          titles: ["is never asked at a private address that was not allowed, and gets no credential before"],
        },
      ],
      gap: "Only configured and admitted servers are used through the gateway. Servers that people run elsewhere are not looked for.",
    },
    {
      id: "MCP10",
      title: "Context Injection & Over-Sharing",
      asks: "what one session, user or tenant read does not appear in another's",
      state: "shown",
      evidence: [
        { file: "test/limits/cache.test.ts", titles: ["no principal is ever answered with what was read for another (property)"] },
        {
          file: "test/hostile/leaks.test.ts",
          titles: ["nothing of one tenant's calls is found in anything that another tenant can ask for"],
        },
        {
          file: "src/gateway/mcp/subscriptions.test.ts",
          titles: ["tells nobody of tools that they cannot see, nor of what was not asked for"],
        },
        { file: "test/limits/call.test.ts", titles: ["a handle is of its session alone, and is authorised anew"] },
      ],
      gap: "What the agent keeps in its own context is outside.",
    },
  ],
};
