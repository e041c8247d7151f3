import type { Json, JsonObject } from "../../domain/json.ts";
import type { ArgumentRole, Tool } from "../../domain/tool.ts";
import { guessRole, guessRoleByDescription, isVenue } from "../../flow/roles.ts";

/** What one argument of a tool means, and who says so. */
export interface ArgumentMeaning {
  readonly name: string;
  /** Undefined where nothing suggests any: a long value then counts as content, a short one as a reference. */
  readonly role: ArgumentRole | undefined;
  readonly from: "declared" | "format" | "name" | "description" | "nothing";
  /** The format, or the word of the name or description, that suggests it. */
  readonly word: string | undefined;
  readonly confidence: "certain" | "high" | "medium" | "low" | "none";
  /**
   * What calls are judged by now. A guess by name or format counts as long as no argument of the tool is declared; afterwards those left out are content.
   */
  readonly now: ArgumentRole | undefined;
}

const confidences: Readonly<Record<ArgumentMeaning["from"], ArgumentMeaning["confidence"]>> = {
  declared: "certain",
  format: "high",
  name: "medium",
  description: "low",
  nothing: "none",
};

/** The arguments of a tool with their roles: declared, or guessed for people to confirm. Values that the schema itself lists steer nothing and are left out. */
export function argumentMeanings(tool: Pick<Tool, "inputSchema" | "argumentRoles">): readonly ArgumentMeaning[] {
  const isDeclared = Object.keys(tool.argumentRoles).length > 0;
  const properties = (tool.inputSchema["properties"] ?? {}) as Readonly<Record<string, Json>>;
  return Object.entries(properties)
    .filter(([, schema]) => !isChoice(schema))
    .map(([name, schema]) => meaningOf(name, schema, { roles: tool.argumentRoles, isDeclared, holder: tool.inputSchema }));
}

function meaningOf(
  name: string,
  schema: Json,
  {
    roles,
    isDeclared,
    holder,
  }: { readonly roles: Tool["argumentRoles"]; readonly isDeclared: boolean; readonly holder: Tool["inputSchema"] },
): ArgumentMeaning {
  const pointer = `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  const declared = roles[pointer] ?? roles[`${pointer}/*`];
  if (declared !== undefined) return { name, role: declared, from: "declared", word: undefined, confidence: "certain", now: declared };
  const named = guessRole(name, schema);
  const guess = named !== undefined && isVenue(name, holder) ? { ...named, role: "content" as const } : named;
  const suggestion = guess ?? guessRoleByDescription(schema);
  const from = suggestion?.by ?? "nothing";
  const now = isDeclared ? "content" : guess?.role;
  return { name, role: suggestion?.role, from, word: suggestion?.word, confidence: confidences[from], now };
}

function isChoice(schema: Json): boolean {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return false;
  const { type, enum: allowed, const: fixed } = schema as JsonObject;
  return type === "boolean" || fixed !== undefined || Array.isArray(allowed);
}
