/**
 * The tools that the conformance suite calls by name, as it describes them, behind the whole journey. What it asks of prompts, resources, sampling and the
 * like is not here: that is not offered, and says so in `expected-failures-*.yaml`.
 */
import { systemClock } from "../../../src/base/clock.ts";
import { resultParts, tool } from "../../../src/index.ts";

// One red pixel, and an empty WAVE file.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const silence = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

const nothing = { type: "object", properties: {} } as const;

export const simpleText = tool({
  name: "test_simple_text",
  tier: "read",
  description: "Returns a text.",
  input: nothing,
  run: () => "This is a simple text response for testing.",
});

export const image = tool({
  name: "test_image_content",
  tier: "read",
  description: "Returns an image.",
  input: nothing,
  run: () => resultParts([{ kind: "image", mediaType: "image/png", dataBase64: pixel }]),
});

export const audio = tool({
  name: "test_audio_content",
  tier: "read",
  description: "Returns a sound.",
  input: nothing,
  run: () => resultParts([{ kind: "audio", mediaType: "audio/wav", dataBase64: silence }]),
});

export const embedded = tool({
  name: "test_embedded_resource",
  tier: "read",
  description: "Returns a file.",
  input: nothing,
  run: () =>
    resultParts([{ kind: "file", mediaType: "text/plain", dataBase64: Buffer.from("This is an embedded resource.").toString("base64") }]),
});

export const mixed = tool({
  name: "test_multiple_content_types",
  tier: "read",
  description: "Returns a text, an image and a file.",
  input: nothing,
  run: () =>
    resultParts([
      { kind: "text", text: "Multiple content types test:" },
      { kind: "image", mediaType: "image/png", dataBase64: pixel },
      { kind: "file", mediaType: "application/json", dataBase64: Buffer.from('{"test":"data"}').toString("base64") },
    ]),
});

export const failing = tool({
  name: "test_error_handling",
  tier: "read",
  description: "Fails.",
  input: nothing,
  run: () => {
    throw new Error("This tool intentionally returns an error for testing");
  },
});

export const progressing = tool({
  name: "test_tool_with_progress",
  tier: "read",
  description: "Tells how far it is.",
  input: nothing,
  run: async (_args, { progress }) => {
    for (const percent of [0, 50, 100]) {
      progress(`Completed step ${percent} of 100`);
      await new Promise<void>((resolve) => void systemClock.after(50, resolve));
    }
    return "done";
  },
});

export const schema2020 = tool({
  name: "json_schema_2020_12_tool",
  tier: "read",
  description: "Has a schema with members of JSON Schema 2020-12.",
  input: {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: { address: { type: "object", properties: { street: { type: "string" }, city: { type: "string" } } } },
    properties: { name: { type: "string" }, address: { $ref: "#/$defs/address" } },
    additionalProperties: false,
  },
  run: () => "fits",
});

/** Three calls that wait for their user; what the suite calls an elicitation of the tool is the confirmation of Signalbox here. */
export const confirmed = ["elicitation", "request_state", "tampered_state"].map((what) =>
  tool({
    name: `test_input_required_result_${what}`,
    tier: "irreversible",
    idempotency: "key",
    isRepeatable: true,
    description: "Happens when its user has confirmed it.",
    input: nothing,
    run: () => "state-ok",
  }),
);

export const refund = tool({
  name: "shop.refund",
  tier: "irreversible",
  idempotency: "key",
  description: "Refund an order. Waits for a person.",
  input: { type: "object", properties: { orderId: { type: "string" } }, required: ["orderId"] },
  arguments: { orderId: "ref" },
  run: () => ({ refunded: true }),
});
