/** A small client of the gateway's HTTP API: what an application in front of a model would be. Uses nothing of Signalbox but the address. */
export interface DeskClient {
  openSession(): Promise<string>;
  turn(session: string, turn: { readonly id: string; readonly said: string }, response: unknown): Promise<readonly StepOutcome[]>;
  decide(approvalId: string, approve: boolean, reason: string | undefined): Promise<StepOutcome>;
  reconcile(session: string, outcome: StepOutcome | undefined): Promise<StepOutcome>;
  verifyLedger(
    auditorKey: string,
  ): Promise<{ readonly ok: boolean; readonly entries: number; readonly batches: number; readonly checkpoints: number }>;
}

/** How one call ended, as far as the story needs it. */
export interface StepOutcome {
  readonly kind: "completed" | "failed" | "denied" | "pending" | "unknown";
  /** What the model reads. */
  readonly text: string;
  readonly approvalId: string | undefined;
  readonly callId: string | undefined;
}

type Body = Readonly<Record<string, unknown>>;

/** A client for one gateway. */
export function deskClient(parts: { readonly url: string; readonly agentKey: string; readonly leadKey: string }): DeskClient {
  async function ask(key: string, method: string, path: string, body?: unknown): Promise<Body> {
    const response = await fetch(`${parts.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { "content-type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Body;
  }
  return {
    async openSession() {
      const made = await ask(parts.agentKey, "POST", "/v1/sessions", {
        user: "desk-7",
        roles: ["support"],
        attributes: { customer: "grace" },
        conversationId: "chat-4711",
      });
      return String(made["id"]);
    },
    async turn(session, turn, response) {
      const made = await ask(parts.agentKey, "POST", "/v1/turns", { session, form: "openai-chat", response, turn });
      return (made["messages"] as readonly { readonly content: string }[]).map((message) => fromMessage(message.content));
    },
    async decide(approvalId, approve, reason) {
      const decided = await ask(parts.leadKey, "POST", `/v1/approvals/${approvalId}/answer`, {
        approve,
        ...(reason !== undefined && { reason }),
      });
      const answer = decided["answer"] as Body | undefined;
      if (answer !== undefined) return fromAnswer(answer);
      const approval = decided["approval"] as Body;
      return fromAnswer(await ask(parts.agentKey, "GET", `/v1/calls/${String(approval["callId"])}`));
    },
    async reconcile(session, outcome) {
      const call = { session, tool: "shop.book_pickup", arguments: { orderId: "A-1042", day: "2026-12-03" } };
      return fromAnswer(await ask(parts.agentKey, "POST", "/v1/calls", { ...call, ...(outcome === undefined && { key: "never" }) }));
    },
    verifyLedger: async (auditorKey) => (await ask(auditorKey, "GET", "/v1/ledger/verify")) as never,
  };
}

function fromMessage(content: string): StepOutcome {
  const body = JSON.parse(content) as Body;
  if ("pending" in body) {
    const pending = body["pending"] as Body;
    return { kind: "pending", text: content, approvalId: pending["approvalId"] as string | undefined, callId: undefined };
  }
  if ("error" in body) return fromError(body["error"] as Body, content);
  return { kind: "completed", text: content, approvalId: undefined, callId: undefined };
}

function fromError(error: Body, text: string): StepOutcome {
  const kind = error["effect"] === "unknown" ? "unknown" : policyCodes.has(String(error["code"])) ? "denied" : "failed";
  return { kind, text, approvalId: undefined, callId: error["callId"] as string | undefined };
}

const policyCodes = new Set(["PERMISSION_DENIED", "APPROVAL_REJECTED", "SESSION_STOPPED"]);

function fromAnswer(answer: Body): StepOutcome {
  const outcome = answer["outcome"] as Body;
  const waiting = outcome["waiting"] as Body | undefined;
  const shown = outcome["error"] ?? (outcome["result"] as Body | undefined)?.["value"] ?? outcome["message"];
  return {
    kind: outcome["kind"] as StepOutcome["kind"],
    text: JSON.stringify(shown),
    approvalId: waiting?.["approvalId"] as string | undefined,
    callId: answer["callId"] as string,
  };
}
