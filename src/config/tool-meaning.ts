import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Confidentiality, Integrity, Label } from "../domain/label.ts";
import type { ArgumentRole, NarrowingOperator, Tool } from "../domain/tool.ts";
import { about, either, list, mapOf, object, optional, text, word, type Read, shortText } from "./shape.ts";

const roles = ["target", "ref", "amount", "date", "command", "credential", "content", "control"] as const satisfies readonly ArgumentRole[];
const operators = ["cap", "subset", "flag"] as const satisfies readonly NarrowingOperator[];
const integrities = ["trusted", "directory", "untrusted"] as const satisfies readonly Integrity[];
const confidentialities = ["public", "internal", "confidential", "restricted"] as const satisfies readonly Confidentiality[];

/** What arguments mean: `arguments:` of a tool. */
export const argumentsShape = about(
  "What arguments mean, by name; `signalbox tools roles` suggests it.",
  mapOf(word(roles), { what: "argument name", pattern: "^.{1,100}$" }),
);

/** What rules may narrow: `narrows:` of a tool. */
export const narrowsShape = about(
  "What rules with `effect: modify` may narrow, by argument: `cap` a number, `subset` a list, `flag` set to true (a dry run). Default: nothing.",
  mapOf(word(operators), { what: "argument name", pattern: "^.{1,100}$" }),
);

/** How users ask for a tool: `asks:`. */
export const asksShape = about(
  "How users ask for it: patterns over their own words, in any language. Default: the usual verbs in five languages.",
  list(text(), fixedBounds.configShortItemsMax),
);

const readerPattern = /^(?:tenant|(?:user|group|role):.+)$/;

function readerProblem(reader: string): string | undefined {
  return readerPattern.test(reader) ? undefined : "a reader is `tenant`, `user:ID`, `group:NAME` or `role:NAME`";
}

const labelShape = object({
  integrity: optional(about("How far it may be believed. Default `untrusted`.", word(integrities))),
  confidentiality: optional(
    about(
      "How widely it may travel; `confidential` and `restricted` leave only after a question. Default `internal`.",
      word(confidentialities),
    ),
  ),
  categories: optional(
    about(
      "What kind of data it is; `personal`, `secret`, `health` and `credential` leave only after a question.",
      list(shortText(), fixedBounds.configShortItemsMax),
    ),
  ),
  readers: optional(
    about(
      "Who may have it, of those whom the policy's `directory` knows: `tenant` (all of them), `user:ID`, `group:NAME`, `role:NAME`; empty: nobody. Default `tenant`, and nobody where it is `restricted`, `secret` or `credential`.",
      list(shortText({ problemOf: readerProblem, schema: { pattern: readerPattern.source } }), fixedBounds.configShortItemsMax),
    ),
  ),
});

/** What results are: `labels:` of a tool. */
export const labelsShape = about(
  'What values of the result are, by JSON pointer: `""` the whole, `*` one step, `**` any number. One word says how far they may be believed. Default: untrusted.',
  mapOf(
    either((raw) => typeof raw === "object" && raw !== null && !Array.isArray(raw), labelShape, word(integrities)),
    { what: "JSON pointer", pattern: "^(?:/.{1,200})?$" },
  ),
);

/** What is taken out of results: `redact:` of a tool. */
export const redactShape = about(
  "`personal`: what looks personal or secret is taken out of its results, and leaves a mark such as `[redacted:passport]`. Default: only secrets are.",
  word(["personal"] as const),
);

/** All of it, for tools whose definition comes from elsewhere. */
export const meaningShape = object({
  arguments: optional(argumentsShape),
  narrows: optional(narrowsShape),
  asks: optional(asksShape),
  labels: optional(labelsShape),
  redact: optional(redactShape),
});

/** What an operator says of a tool's arguments and results. */
export type ToolMeaning = Pick<Tool, "argumentRoles" | "outputLabels" | "redacts"> & {
  readonly asks?: readonly string[];
  readonly narrows?: NonNullable<Tool["narrows"]>;
};

/** The meaning as the registry knows it. */
export function meaningOf(said: Read<typeof meaningShape>): ToolMeaning {
  return {
    argumentRoles: Object.fromEntries(
      (said.arguments ?? []).map(([name, role]) => [`/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`, role]),
    ),
    outputLabels: Object.fromEntries((said.labels ?? []).map(([pointer, label]) => [pointer, labelOf(label)])),
    ...(said.redact !== undefined && { redacts: said.redact }),
    ...(said.narrows !== undefined && { narrows: Object.fromEntries(said.narrows) }),
    ...(said.asks !== undefined && { asks: said.asks }),
  };
}

function labelOf(said: Integrity | Read<typeof labelShape>): Partial<Label> {
  if (typeof said === "string") return { integrity: said };
  const { integrity, confidentiality, categories, readers } = said;
  return {
    ...(integrity !== undefined && { integrity }),
    ...(confidentiality !== undefined && { confidentiality }),
    ...(categories !== undefined && { categories: [...categories].sort() }),
    ...(readers !== undefined && { readers: [...readers].sort() }),
  };
}
