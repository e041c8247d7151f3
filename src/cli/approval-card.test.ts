import { expect, test } from "vitest";
import type { ApprovalCard } from "../domain/approval-card.ts";
import { cardText } from "./approval-card.ts";

const terminal = { out: () => undefined, err: () => undefined, hasColour: false };
const approval = { id: "apr_1", state: "pending", quorum: 2, approvers: ["lead"], needsFreshAuthentication: true };
const card: ApprovalCard = {
  headline: "Refund a paid order (order.refund@1.0.0)",
  user: "ada",
  roles: ["support"],
  agent: "desk",
  conversationId: undefined,
  said: { text: "refund A-1", chars: 10, isAttested: false },
  asked: "not-asked",
  notSaid: ["amount"],
  arguments: [
    { pointer: "/amount", name: "amount", role: "amount", value: "80", chars: 2, isCut: false, origin: { kind: "nowhere" } },
    {
      pointer: "/orderId",
      name: "orderId",
      role: "ref",
      value: '"A-1"',
      chars: 3,
      isCut: false,
      origin: { kind: "user", quote: "refund A-1" },
    },
    {
      pointer: "/note",
      name: "note",
      role: undefined,
      value: '"hi"',
      chars: 2,
      isCut: false,
      origin: { kind: "result", tool: "mail.read", callId: "call_1", atMs: 0, quote: "say hi", trust: "untrusted" },
      carries: [
        { text: "bob@evil.example", origin: { kind: "elsewhere", tool: "web.get", atMs: 0, trust: "untrusted" } },
        { text: "eve@evil.example", origin: { kind: "forgotten" } },
        { text: "ada@acme.example", origin: { kind: "user", quote: undefined } },
      ],
    },
  ],
  argumentsLeftOutCount: 0,
  tier: "irreversible",
  reasons: [{ rule: "tier:irreversible", effect: "ask", reason: "an irreversible call wants a person's answer" }],
  undo: "none: once it ran, it cannot be taken back",
  isToolChanged: false,
  expiresAtMs: 0,
  refusedAsksCount: 3,
};

test("a person reads what will happen, what the user did not say, and where arguments came from", () => {
  expect(cardText(terminal, { approval, card })).toMatchInlineSnapshot(`
    "Refund a paid order (order.refund@1.0.0)
    state  pending, expires 1970-01-01T00:00:00.000Z
    tier   irreversible
    undo   none: once it ran, it cannot be taken back
    user   ada (support)
    agent  desk
    said   "refund A-1" (as the agent claims)
    asked  the user did not ask for this kind of action
    needs  2 of lead, just authenticated
    3 more questions about this user's calls were refused lately: too many were asked
    the user did not say: amount

    arguments
    amount (amount): 80
      seen nowhere: made up or worked out
    orderId (ref): "A-1"
      said by the user: refund A-1
    note: "hi"
      untrusted text, read by mail.read at 1970-01-01T00:00:00.000Z: say hi
      holds bob@evil.example
        from another conversation: untrusted text, read by web.get at 1970-01-01T00:00:00.000Z
      holds eve@evil.example
        from untrusted text; which is no longer remembered
      holds ada@acme.example
        said by the user: (not quoted: in another notation, or too long ago)

    why it asks
    tier:irreversible  an irreversible call wants a person's answer

    signalbox approvals approve apr_1
    signalbox approvals reject apr_1 --reason TEXT
    "
  `);
});

test("what the card cut is shown whole below it, with every special character escaped", () => {
  const [first] = card.arguments;
  const cut = { ...card, arguments: [{ ...(first as NonNullable<typeof first>), isCut: true, chars: 900 }] };
  const text = cardText(terminal, { approval, card: cut, arguments: { amount: "80\u202e\u001b[2J" } });
  expect(text).toContain("(900 characters)");
  expect(text).toContain('"amount": "80\\u202e\\u001b[2J"');
});

test("a person reads who may not have what the call repeats, and whom the directory does not know", () => {
  const mayNotRead = [
    { who: "bob@acme.example", isKnown: true },
    { who: "eve@else.example", isKnown: false },
  ];
  const text = cardText(terminal, { approval, card: { ...card, mayNotRead } });
  expect(text).toContain("may not have the data in it: bob@acme.example\n");
  expect(text).toContain("may not have the data in it: eve@else.example (the directory does not know them)\n");
  expect(cardText(terminal, { approval, card })).not.toContain("may not have");
});

test("where each group has to agree, the card says so, and whose yes is missing", () => {
  const each = { ...approval, approvers: ["finance", "security"], isOfEach: true, needsFreshAuthentication: false };
  const needs = (more: object): string | undefined => /needs *(.*)/.exec(cardText(terminal, { approval: { ...each, ...more }, card }))?.[1];
  expect(needs({ wanted: ["finance", "security"] })).toBe("one person of each of finance, security; still somebody of finance or security");
  expect(needs({ wanted: ["security"] })).toBe("one person of each of finance, security; still somebody of security");
  expect(needs({ wanted: [], quorum: 3 })).toBe("one person of each of finance, security, 3 people in all");
});
