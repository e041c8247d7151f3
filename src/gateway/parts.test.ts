import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyCodePoint } from "../../test/support/any-text.ts";
import { verifies } from "../../test/verifies.ts";
import type { Clock } from "../base/clock.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Credential } from "../domain/principal.ts";
import { createApiKeys } from "./api-keys.ts";
import { causeFacts, createJsonLogger } from "./log.ts";
import { requestNames } from "./trace.ts";

const tasks: (() => void)[] = [];
const clock: Clock = { now: () => 1_700_000_000_000, monotonic: () => 0, after: (_, task) => ({ cancel: () => void tasks.push(task) }) };
const credential = (id: string): Credential => ({
  id,
  tenant: "acme",
  actsFor: ["x"],
  approves: [],
  administers: false,
  words: "claimed",
  authenticatedAtMs: undefined,
});

describe("API keys", () => {
  const held = [
    { credential: credential("a"), key: "a".repeat(20) },
    { credential: credential("b"), key: "b".repeat(20) },
  ];

  test(verifies("AUTH-17", "find their credential, which authenticated now, and nobody else's"), () => {
    const keys = createApiKeys(held, { limits: defaultLimits, clock });
    expect(keys.authenticate(`Bearer ${"b".repeat(20)}`)).toMatchObject({ id: "b", authenticatedAtMs: 1_700_000_000_000 });
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        if (!/^bearer +(a{20}|b{20})$/i.test(text)) expect(keys.authenticate(text)).toBeUndefined();
        if (text !== "a".repeat(20) && text !== "b".repeat(20)) expect(keys.authenticate(`Bearer ${text}`)).toBeUndefined();
      }),
    );
  });

  test("have at least apiKeyCharsMin characters", () => {
    const limits = { apiKeyCharsMin: 5 };
    const held = (key: string): ReturnType<typeof createApiKeys> =>
      createApiKeys([{ credential: credential("a"), key }], { limits, clock });
    expect(held("12345").authenticate("Bearer 12345")).toBeDefined();
    expect(() => held("1234")).toThrow("fewer than 5 characters");
  });

  test("that are short, shared or unsendable are all named at once, never shown", () => {
    const bad = [
      ...held,
      { credential: credential("c"), key: "b".repeat(20) },
      { credential: credential("d"), key: "short-secret" },
      { credential: credential("e"), key: `line\n${"x".repeat(30)}` },
    ];
    let message = "";
    try {
      createApiKeys(bad, { limits: defaultLimits, clock });
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(/`c` and `b` have the same key.*`d` has fewer than 20 characters.*`e` has characters/);
    expect(message).not.toMatch(/short-secret|bbbb/);
  });
});

describe("the log", () => {
  test(verifies("OBS-03", "writes one line of plain JSON for whatever a value holds"), () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCodePoint, maxLength: 60 }), (text) => {
        let written = "";
        const logger = createJsonLogger({ write: (more) => (written += more), clock, limits: defaultLimits });
        logger.log({ level: "info", event: "request-answered", route: `${text}\r\n\u001b[31m\u009b{"level":"error"}` });
        logger.flush();
        expect(written.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
        expect(JSON.parse(written)).toMatchObject({ event: "request-answered", route: `${text}\r\n\u001b[31m\u009b{"level":"error"}` });
      }),
    );
  });

  test("drops and counts what comes faster than it is written", () => {
    let written = "";
    const logger = createJsonLogger({ write: (more) => (written += more), clock, limits: { logLinesWaitingMax: 3 } });
    for (let index = 0; index < 10; index += 1) logger.log({ level: "info", event: "x-happened" });
    logger.flush();
    const lines = written
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(lines).toHaveLength(4);
    expect(lines.at(-1)).toMatchObject({ event: "log-lines-dropped", count: 7 });
  });

  test(verifies("OBS-03", "says the class and place of a throw, never its words"), () => {
    class OddError extends Error {}
    const facts = causeFacts(new OddError("password is hunter2"));
    expect(facts.cause).toBe("OddError");
    expect(facts.thrownAt).toMatch(/^parts\.test\.ts:\d+$/);
    expect(JSON.stringify(causeFacts("hunter2"))).not.toContain("hunter2");
  });
});

describe("names of a request", () => {
  const names = (headers: Record<string, string>): ReturnType<typeof requestNames> => requestNames(headers, () => "minted");
  test("come from the headers only in the right form", () => {
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    expect(names({ "x-request-id": "r-1", traceparent: `00-${trace}-00f067aa0ba902b7-01` })).toEqual({ requestId: "r-1", traceId: trace });
    for (const traceparent of [
      `00-${"0".repeat(32)}-00f067aa0ba902b7-01`,
      `00-${trace}-${"0".repeat(16)}-01`,
      `ff-${trace}-00f067aa0ba902b7-01`,
      `00-${trace.toUpperCase()}-00f067aa0ba902b7-01`,
      "x",
    ])
      expect(names({ traceparent })).toEqual({ requestId: "minted", traceId: "minted" });
    expect(names({ "x-request-id": "a b" }).requestId).toBe("minted");
    expect(names({ "x-request-id": "a".repeat(129) }).requestId).toBe("minted");
  });
});
