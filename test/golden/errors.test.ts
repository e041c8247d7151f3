import { readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codecs, forms } from "../../src/codec/codec.ts";
import type { Answer } from "../../src/domain/outcome.ts";
import type { Form, ToolCall } from "../../src/domain/tool-call.ts";
import { codes, retryFor, type CodeRow, type Effect, type ErrorCode } from "../../src/errors/codes.ts";
import { internalError, toolCallError, type ToolCallError } from "../../src/errors/tool-call-error.ts";
import { httpProblem, jsonRpcError } from "../../src/errors/wire.ts";
import { verifies } from "../verifies.ts";

const allCodes = Object.keys(codes) as readonly ErrorCode[];
const effects: readonly Effect[] = ["none", "unknown", "applied"];
const rowOf = (code: ErrorCode): CodeRow => codes[code];

/** An error of a code with every member that a body may have, and a cause that nobody may see. */
function example(code: ErrorCode): ToolCallError {
  const effect = rowOf(code).effects.at(-1) as Effect;
  return toolCallError(code, `what was wrong with \`it\`, and what would be right (${code})`, {
    effect,
    isSafeToResend: true,
    fields: code === "ARGUMENTS_INVALID" ? [{ path: "/amount", got: "\"20\"", expected: "a number", hint: "send `20`" }, { path: "/to", expected: "given: a string" }] : [],
    retryAfterMs: rowOf(code).retry === "later" ? 1_500 : undefined,
    approvalId: code.startsWith("APPROVAL") ? "apr_1" : undefined,
    callId: code === "KEY_REUSED" || effect === "unknown" ? "call_1" : undefined,
    detail: code === "TOOL_FAILED" ? "the upstream's own words" : undefined,
    cause: new TypeError("hunter2 of the cause"),
  });
}

function answered(form: Form, error: ToolCallError): unknown {
  const answer: Answer = {
    callId: "call_1",
    providerCallId: "p1",
    tool: "order.refund",
    version: "1.0.0",
    outcome: error.effect === "unknown" ? { kind: "unknown", error, isReplay: false } : rowOf(error.code).fault === "policy" ? { kind: "denied", error } : { kind: "failed", error, isReplay: false },
    traceId: undefined,
    sessionId: "ses_1",
  };
  const call: ToolCall = { id: "p1", hasProviderId: true, name: "order.refund", raw: "{}", arguments: { kind: "parsed", value: {} }, echo: { id: "p1", name: "order_refund" } };
  return codecs[form].answer([answer], [call]);
}

const wires: Readonly<Record<string, (error: ToolCallError) => unknown>> = {
  ...Object.fromEntries(forms.map((form) => [form, (error: ToolCallError) => answered(form, error)])),
  "http-problem": httpProblem,
  "json-rpc": jsonRpcError,
};

/** One code a line, so that a change of one shows as one line. A run with `UPDATE_GOLDEN` set writes the files anew, to be reviewed as code. */
function goldenText(wire: (error: ToolCallError) => unknown): string {
  return `{\n${allCodes.map((code) => `  ${JSON.stringify(code)}: ${JSON.stringify(wire(example(code)))}`).join(",\n")}\n}\n`;
}

describe("the body of every code", () => {
  for (const [name, wire] of Object.entries(wires)) {
    test(verifies("CALL-13", `in the form ${name} is the documented one`), () => {
      const file = new URL(`./errors.${name}.json`, import.meta.url);
      if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(file, goldenText(wire));
      expect(goldenText(wire)).toBe(readFileSync(file, "utf8"));
    });

    test(`in the form ${name} carries code, message, retry and effect, and nothing of cause, class or stack`, () => {
      for (const code of allCodes) {
        const error = example(code);
        const text = JSON.stringify(wire(error));
        // Bodies inside text blocks are JSON in JSON.
        const plain = text.replaceAll("\\\"", "\"");
        expect(plain).toContain(`"error":{"code":"${code}"`);
        expect(plain).toContain(`"retry":"${error.retry}","effect":"${error.effect}"`);
        expect(plain).not.toMatch(/hunter2|TypeError|ToolCallError|"cause"|"stack"|"name":"Tool|\bat .*\.ts/);
      }
    });
  }
});

describe("retry", () => {
  test(verifies("CALL-13", "is a function of code, effect and whether the tool makes a repeat safe"), () => {
    const rows = allCodes.flatMap((code) =>
      rowOf(code).effects.flatMap((effect) => [true, false].map((isSafe) => `${code} ${effect} ${isSafe ? "safe" : "unsafe"}: ${retryFor(code, effect, isSafe)}`)),
    );
    const file = new URL("./retry.txt", import.meta.url);
    const text = `${rows.join("\n")}\n`;
    if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, "utf8"));
  });

  test(verifies("EXEC-07", "never invites a repeat of what was applied, and of what is unknown only under the same key (property)"), () => {
    fc.assert(
      fc.property(fc.constantFrom(...allCodes), fc.constantFrom(...effects), fc.boolean(), (code, effect, isSafe) => {
        const retry = retryFor(code, effect, isSafe);
        if (effect === "applied") expect(retry).toBe("never");
        if (effect === "unknown") expect(retry).toBe(isSafe ? "same-key" : "never");
        if (effect === "none") expect(retry).toBe(rowOf(code).retry);
      }),
    );
  });

  test("cannot be claimed with an effect that the code may not have", () => {
    for (const code of allCodes)
      for (const effect of effects.filter((each) => !rowOf(code).effects.includes(each))) expect(() => toolCallError(code, "x", { effect }), `${code} ${effect}`).toThrow();
  });
});

test("an unexpected throw keeps its words to itself, and one of ours stays what it is", () => {
  const hidden = internalError(new Error("password=hunter2"));
  expect([hidden.code, hidden.message]).toEqual(["INTERNAL", "something failed inside Signalbox; this is not a fault of your call"]);
  expect(JSON.stringify(httpProblem(hidden))).not.toContain("hunter2");
  const ours = toolCallError("NOT_FOUND", "no such thing");
  expect(internalError(ours)).toBe(ours);
});

test("codes tell HTTP and JSON-RPC clients apart from each other where they must act differently", () => {
  for (const code of allCodes) {
    const { http, jsonRpc } = rowOf(code);
    expect(http, code).toBeGreaterThanOrEqual(200);
    expect(http, code).toBeLessThan(600);
    const isStandard = [-32_600, -32_602, -32_603].includes(jsonRpc);
    // What JSON-RPC and MCP have given a meaning: a client must not take a lost reply for a header that differs.
    const isOurs = jsonRpc > -32_000 && jsonRpc <= -31_000;
    expect(isStandard || isOurs, code).toBe(true);
  }
  const own = allCodes.map((code) => rowOf(code).jsonRpc).filter((number) => number > -32_600);
  expect(new Set(own).size).toBe(own.length);
});
