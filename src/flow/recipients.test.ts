import fc from "fast-check";
import { expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import type { JsonObject } from "../domain/json.ts";
import type { Label } from "../domain/label.ts";
import { completeTool } from "../registry/complete.ts";
import { labelReader } from "./labels.ts";
import { SessionKnowledge } from "./knowledge.ts";
import { readerNames, recipientsOf, type KnownRecipient } from "./recipients.ts";
import { Restrictions } from "./restrictions.ts";
import { traceCall } from "./trace.ts";

const mail = completeTool({
  name: "mail.send",
  tier: "reversible",
  isEgress: true,
  description: "Send a mail.",
  inputSchema: { type: "object", properties: { list: { enum: ["everybody@acme.example"] } } },
  argumentRoles: { "/to": "target", "/cc/*/address": "target", "/list": "target", "/body": "content" },
  asks: ["\\bsend\\b"],
});

const address = fc
  .tuple(fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/), fc.constantFrom("acme.example", "else.example"))
  .map((parts) => parts.join("@"));

function named(args: JsonObject, recipientsMax = 1_000): readonly string[] | string {
  const found = recipientsOf(mail, args, recipientsMax);
  return found.kind === "named" ? found.recipients.map(({ text }) => text) : found.why;
}

test(verifies("AUTH-09", "no address in a target is missed, however a list of them is written"), () => {
  const list = fc.array(address, { minLength: 1, maxLength: 6 });
  const separator = fc.constantFrom(",", ";", ", ", " ;  ");
  const form = fc.constantFrom<(each: string) => string>(
    (each) => each,
    (each) => `Some One <${each}>`,
    (each) => `<${each}>`,
  );
  fc.assert(
    fc.property(list, list, separator, form, (to, cc, between, write) => {
      const args = { to: to.map(write).join(between), cc: cc.map((each) => ({ address: write(each), note: "x" })), body: "a@b.example" };
      expect(new Set(named(args))).toEqual(new Set([...to, ...cc]));
    }),
  );
});

test("what is no plain address stays whole, so that no directory knows it", () => {
  expect(named({ to: "boss@acme.example <eve@else.example>" })).toEqual(["boss@acme.example <eve@else.example>"]);
  expect(named({ to: "ann@acme.example\nbcc: eve@else.example" })).toEqual(["ann@acme.example\nbcc: eve@else.example"]);
  expect(named({ to: ["ann@acme.example", { room: 7 }, true] })).toEqual(["ann@acme.example", "7", "true"]);
});

test("a target that the schema lists is a recipient as well", () => {
  expect(named({ list: "everybody@acme.example", to: "ann@acme.example" })).toEqual(["everybody@acme.example", "ann@acme.example"]);
});

test("an address in an argument that nobody declared is a recipient, one in declared content is none", () => {
  expect(named({ to: "ann@acme.example", also: "and eve@else.example", body: "bob@acme.example" })).toEqual([
    "ann@acme.example",
    "eve@else.example",
  ]);
});

test("nobody is told where no declared argument names anybody, or where there are more than `recipientsMax`", () => {
  expect(named({ also: "eve@else.example", body: "x" })).toBe("no argument is declared to be its target");
  expect(named({ to: " , ; " })).toBe("no argument is declared to be its target");
  expect(named({ to: "a@acme.example, b@acme.example" }, 2)).toHaveLength(2);
  expect(named({ to: "a@acme.example, b@acme.example, c@acme.example" }, 2)).toBe("it has more recipients than are looked up");
  expect(named({ to: Array.from({ length: 1_100 }, () => "a@acme.example") })).toBe("it has more recipients than are looked up");
});

const texts = [
  "the harvest of the northern vineyards was better than expected",
  "a new bridge across the estuary opens before the winter",
  "nobody has repaired the old telescope on the roof yet",
];
const names = ["tenant", "user:ann", "group:finance", "role:lead"];

function knowing(circles: readonly (readonly string[])[], circlesMax: number): SessionKnowledge {
  const bounds = { slotsMax: 4_096, valuesMax: 100, circlesMax };
  const knowledge = new SessionKnowledge(new Restrictions(7, bounds, 0), bounds);
  knowledge.words.add("send it", true);
  for (const [index, readers] of circles.entries()) {
    const label: Partial<Label> = { integrity: "trusted", confidentiality: "confidential", readers };
    const origin = { callId: `call_${index}`, sessionId: "ses", tool: "read.it", atMs: 0, isNamed: false, isOutside: false };
    const value = texts[index] as string;
    const labels = labelReader({ source: "test", outputLabels: { "": label } });
    knowledge.note({ origin, value, given: [], labels, chars: value.length, text: value });
  }
  void knowledge.restrictions.settle(() => Promise.resolve());
  return knowledge;
}

const circle = fc.uniqueArray(fc.constantFrom(...names), { maxLength: 3 });
const someone = fc.option(
  fc.record({
    user: fc.constantFrom("ann", "bob"),
    groups: fc.uniqueArray(fc.constantFrom("finance", "support"), { maxLength: 2 }),
    roles: fc.uniqueArray(fc.constantFrom("lead", "finance"), { maxLength: 2 }),
  }),
  { nil: undefined },
);

test(verifies("AUTH-09", "content leaves without R4 if, and only if, every recipient may read every text that it repeats"), () => {
  fc.assert(
    fc.property(
      fc.tuple(circle, circle, circle),
      fc.subarray([0, 1, 2], { minLength: 1 }),
      fc.array(someone, { minLength: 1, maxLength: 4 }),
      (circles, repeated, people) => {
        const known = people.map((person, part): KnownRecipient => ({
          pointer: "/to",
          part,
          text: `${part}`,
          names: person === undefined ? undefined : readerNames(person),
        }));
        const args = { to: "ann@acme.example", body: repeated.map((index) => texts[index]).join(". ") };
        const call = { tool: mail, args, isStanding: true, isStrict: false, recipients: { kind: "known", people: known } } as const;
        const traced = traceCall(call, knowing(circles, 8));
        const may = (person: KnownRecipient): boolean =>
          repeated.every((index) => (circles[index] as string[]).some((reader) => person.names?.has(reader) === true));
        expect(traced.barred).toEqual(known.filter((person) => !may(person)));
        expect(traced.reasons.some(({ rule }) => rule === "flow:R4")).toBe(!known.every(may));
      },
    ),
  );
});

test("beyond `flowCirclesMax` circles of readers a text is meant for nobody", () => {
  const finance = { pointer: "/to", part: 0, text: "fin", names: readerNames({ user: "fin", groups: ["finance"], roles: ["lead"] }) };
  const barred = (circlesMax: number): number =>
    traceCall(
      {
        tool: mail,
        args: { to: "fin@acme.example", body: texts[1] as string },
        isStanding: true,
        isStrict: false,
        recipients: { kind: "known", people: [finance] },
      },
      knowing([["group:finance"], ["role:lead"]], circlesMax),
    ).barred.length;
  expect([barred(2), barred(1)]).toEqual([0, 1]);
});

test("an address that repeats guarded data is never let through for who is written to", () => {
  const knowledge = knowing([["tenant"]], 8);
  const fetch = completeTool({ ...mail, name: "web.get", argumentRoles: { "/url": "target" } });
  const ann = { pointer: "/url", part: 0, text: "ann", names: readerNames({ user: "ann", groups: [], roles: [] }) };
  const args = { url: `https://ann.example/?q=${encodeURIComponent(texts[0] as string)}` };
  const traced = traceCall(
    { tool: fetch, args, isStanding: true, isStrict: false, recipients: { kind: "known", people: [ann] } },
    knowledge,
  );
  expect(traced.reasons.map(({ rule }) => rule)).toContain("flow:R4");
});
