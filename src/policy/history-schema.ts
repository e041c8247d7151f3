import type { JsonObject } from "../domain/json.ts";

/** The forms that these schemas share with the rest of a policy's. */
export interface SharedForms {
  readonly name: JsonObject;
  readonly expression: JsonObject;
  readonly globs: JsonObject;
  readonly groups: JsonObject;
  readonly id: JsonObject;
}

const span = { type: "string", pattern: "^[1-9][0-9]{0,8}[smhd]$" } as const;

/** JSON Schema of `sequences` and `separation`. */
export function historySchemas(forms: SharedForms): { readonly sequence: JsonObject; readonly separation: JsonObject } {
  const common: JsonObject = {
    id: forms.id,
    effect: { enum: ["ask", "deny"], description: "Default `deny`." },
    approvers: forms.groups,
    reason: { type: "string", minLength: 1, maxLength: 500, pattern: "\\S", description: "For people; never shown to the model." },
  };
  const approversOnlyWithAsk: JsonObject = {
    if: { required: ["approvers"] },
    then: { properties: { effect: { const: "ask" } }, required: ["effect"] },
  };
  return {
    sequence: {
      type: "object",
      additionalProperties: false,
      required: ["id", "on"],
      properties: {
        ...common,
        on: forms.globs,
        when: { oneOf: [{ type: "boolean" }, forms.expression], description: "CEL; only calls of which it is true are counted." },
        by: { ...forms.expression, description: "CEL; calls with the same value belong together. Default `principal.user`." },
        max: { type: "number", minimum: 0, maximum: 1_000_000_000, description: "So many calls, or so much in all, in one window." },
        sum: { ...forms.expression, description: "CEL for a number that is added up instead of counting calls." },
        per: { ...span, description: "Length of a window: `1h`, `24h`, `7d`; windows follow each other from midnight UTC." },
        after: { ...forms.globs, description: "Tools of which one must have completed before." },
        afterBy: { ...forms.expression, description: "CEL over a call of `after`: with the same value as `by`. Default: `by`." },
        within: { ...span, description: "How long ago that may have been." },
      },
      allOf: [approversOnlyWithAsk],
      oneOf: [
        { required: ["after", "within"], not: { anyOf: [{ required: ["max"] }, { required: ["sum"] }, { required: ["per"] }] } },
        { required: ["max", "per"], not: { anyOf: [{ required: ["after"] }, { required: ["afterBy"] }, { required: ["within"] }] } },
      ],
    },
    separation: {
      type: "object",
      additionalProperties: false,
      required: ["id", "classes"],
      properties: {
        ...common,
        classes: {
          type: "object",
          minProperties: 2,
          propertyNames: forms.name,
          additionalProperties: {
            oneOf: [
              { type: "string", minLength: 1 },
              { type: "array", items: { type: "string", minLength: 1 } },
            ],
          },
          description: "Tool globs, `source:NAME` and `category:NAME` by class of data.",
        },
        atMost: { type: "integer", minimum: 1, description: "So many classes may come together. Default: all but one." },
        keep: { ...span, description: "What a user has used counts so long. Default `24h`." },
      },
      allOf: [approversOnlyWithAsk],
    },
  };
}
