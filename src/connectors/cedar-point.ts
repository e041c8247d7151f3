/**
 * Cedar policies, decided inside the process by `@cedar-policy/cedar-wasm`, an optional peer that is loaded only where a point is made. Policies are
 * parsed and, with a schema, validated once; each question brings its own few entities. Cedar skips a policy whose condition breaks; here that denies,
 * since what was skipped may have forbidden the call.
 */
import type * as Cedar from "@cedar-policy/cedar-wasm/nodejs";
import { sha256Hex } from "../base/hash.ts";
import type { DecisionPoint, PointAnswer, PointRequest } from "../domain/decision-point.ts";
import type { Json, JsonObject } from "../domain/json.ts";
import { toolCallError } from "../errors/tool-call-error.ts";

/** A decision point whose policies are Cedar's. */
export interface CedarPointOptions {
  readonly name: string;
  /** The policies as text. Name each with `@id("…")`; `@reason("…")` is what people read where it forbids. */
  readonly policies: string;
  /** A Cedar schema as text, with one action for each tool that it is asked about. With it policies and questions are validated. Default none. */
  readonly schema?: string;
  /** Tool globs that it is asked about. Default every tool. */
  readonly on?: readonly string[];
}

/**
 * A decision point that asks Cedar: principal `User::"ada"` in its `Role`s and its `Tenant`, action and resource `Action::"order.refund"` and
 * `Tool::"order.refund"`, and the context `{args, facts, session}`. Rejects with `CONFIG_INVALID` for policies or a schema that are not valid, and where
 * the package is not installed.
 */
export async function cedarDecisionPoint(options: CedarPointOptions): Promise<DecisionPoint> {
  const cedar = await loadCedar(options.name);
  const policies = readPolicies(cedar, options);
  const texts = Object.fromEntries([...policies].map(([id, { text }]) => [id, text]));
  const setId = `signalbox:${sha256Hex(JSON.stringify([texts, options.schema ?? ""]))}`;
  const { schema } = options;
  if (schema !== undefined) {
    refuse(options, "the schema", cedar.preparseSchema(setId, schema));
    const found = cedar.validate({ schema, policies: { staticPolicies: texts } });
    refuse(options, "the policies", found);
    if (found.type === "success" && found.validationErrors.length > 0)
      throw invalid(
        options,
        "the policies",
        found.validationErrors.map(({ error }) => error),
      );
  }
  refuse(options, "the policies", cedar.preparsePolicySet(setId, { staticPolicies: texts }));
  return {
    name: options.name,
    on: options.on ?? ["*"],
    decide: (request) => Promise.resolve(decide(cedar, { setId, hasSchema: schema !== undefined, policies }, request)),
  };
}

interface ReadPolicy {
  readonly text: string;
  readonly reason: string | undefined;
}

interface Ready {
  readonly setId: string;
  readonly hasSchema: boolean;
  readonly policies: ReadonlyMap<string, ReadPolicy>;
}

async function loadCedar(name: string): Promise<typeof Cedar> {
  try {
    return await import("@cedar-policy/cedar-wasm/nodejs");
  } catch (cause) {
    throw toolCallError(
      "CONFIG_INVALID",
      `the decision point \`${name}\` needs the package \`@cedar-policy/cedar-wasm\`, which is not installed; run \`npm install @cedar-policy/cedar-wasm@4\``,
      { cause },
    );
  }
}

function readPolicies(cedar: typeof Cedar, options: CedarPointOptions): ReadonlyMap<string, ReadPolicy> {
  const parts = cedar.policySetTextToParts(options.policies);
  if (parts.type === "failure") throw invalid(options, "the policies", parts.errors);
  if (parts.policy_templates.length > 0)
    throw invalid(options, "the policies", [{ message: "templates have nothing to be linked with here" }]);
  const read = new Map<string, ReadPolicy>();
  for (const [index, text] of parts.policies.entries()) {
    const parsed = cedar.policyToJson(text);
    if (parsed.type === "failure") throw invalid(options, "the policies", parsed.errors);
    const annotations = parsed.json.annotations ?? {};
    const id = annotations["id"] ?? `policy${index}`;
    if (read.has(id)) throw invalid(options, "the policies", [{ message: `two policies have the id \`${id}\`` }]);
    read.set(id, { text, reason: annotations["reason"] });
  }
  return read;
}

type Part = "the schema" | "the policies";
type Problem = Pick<Cedar.DetailedError, "message"> & Partial<Cedar.DetailedError>;

function refuse(
  options: CedarPointOptions,
  what: Part,
  answer: { readonly type: "success" } | { readonly type: "failure"; readonly errors: readonly Problem[] },
): void {
  if (answer.type === "failure") throw invalid(options, what, answer.errors);
}

function invalid({ name, policies, schema }: CedarPointOptions, what: Part, problems: readonly Problem[]): Error {
  const text = what === "the schema" ? (schema ?? "") : policies;
  const told = problems.map(({ message, help, sourceLocations }) => {
    const place = sourceLocations?.[0];
    // Places within one policy of several are told by its id, which stands in the message.
    const where = place === undefined || message.startsWith("for policy") ? "" : `${placeIn(text, place.start)} `;
    const wanted = place?.label ?? help;
    return `${where}${message}${wanted === null || wanted === undefined ? "" : ` (${wanted})`}`;
  });
  const verb = what === "the schema" ? "is" : "are";
  return toolCallError("CONFIG_INVALID", `${what} of the decision point \`${name}\` ${verb} not valid Cedar: ${told.join("; ")}`);
}

/** Line and column of a place that Cedar gives in bytes. */
function placeIn(text: string, startByte: number): string {
  const before = Buffer.from(text).subarray(0, startByte).toString().split("\n");
  return `${before.length}:${(before.at(-1) ?? "").length + 1}`;
}

function decide(cedar: typeof Cedar, { setId, hasSchema, policies }: Ready, request: PointRequest): PointAnswer {
  const question = questionOf(request);
  if (typeof question === "string") return { kind: "garbage", problem: question };
  let answer: Cedar.AuthorizationAnswer;
  try {
    answer = cedar.statefulIsAuthorized({
      ...question,
      preparsedPolicySetId: setId,
      ...(hasSchema && { preparsedSchemaName: setId, validateRequest: true }),
    });
  } catch (cause) {
    return { kind: "garbage", problem: `Cedar failed: ${cause instanceof Error ? cause.message : "unexpected"}` };
  }
  if (answer.type === "failure") return { kind: "garbage", problem: answer.errors.map(({ message }) => message).join("; ") };
  const { decision, diagnostics } = answer.response;
  const [broken] = diagnostics.errors;
  if (broken !== undefined) return { kind: "garbage", problem: `the policy \`${broken.policyId}\` broke: ${broken.error.message}` };
  if (decision === "allow") return { kind: "allow" };
  if (diagnostics.reason.length === 0) return { kind: "deny", reason: "no Cedar policy permits it" };
  return {
    kind: "deny",
    reason: diagnostics.reason
      .toSorted()
      .map((id) => `${id}: ${policies.get(id)?.reason ?? "forbidden"}`)
      .join("; "),
  };
}

type Question = Pick<Cedar.StatefulAuthorizationCall, "principal" | "action" | "resource" | "context" | "entities">;

function questionOf({ principal, tool, args, sessionId, facts }: PointRequest): Question | string {
  const attributes = cedarRecord(principal.attributes);
  const given = cedarRecord(args);
  const known = cedarRecord(facts);
  const odd = [attributes, given, known].find((each) => typeof each === "string");
  if (typeof odd === "string") return odd;
  const { name, version, tier, source } = tool;
  const user = { type: "User", id: principal.user };
  const resource = { type: "Tool", id: name };
  const tenant = { type: "Tenant", id: principal.tenant };
  const roles = principal.roles.map((id) => ({ type: "Role", id }));
  return {
    principal: user,
    action: { type: "Action", id: name },
    resource,
    context: { args: given as Cedar.Context, facts: known as Cedar.Context, session: { id: sessionId } },
    entities: [
      {
        uid: user,
        attrs: { ...(attributes as Cedar.Context), user: principal.user, tenant: principal.tenant },
        parents: [...roles, tenant],
      },
      { uid: resource, attrs: { version, tier, source }, parents: [] },
      { uid: tenant, attrs: {}, parents: [] },
      ...roles.map((uid) => ({ uid, attrs: {}, parents: [] })),
    ],
  };
}

const decimalPlaces = 4;
/** @see Cedar's reference, "decimal": 64 bits of ten-thousandths. */
const decimalMax = 922_337_203_685_477;
/** Members that Cedar's JSON takes for entities and functions; a model must not be able to name any. */
const reserved: ReadonlySet<string> = new Set(["__entity", "__extn", "__expr"]);

/** A record of Cedar's; as text, why it cannot be one. */
function cedarRecord(value: Readonly<Record<string, Json>>): Record<string, Cedar.CedarValueJson> | string {
  const made: [string, Cedar.CedarValueJson][] = [];
  for (const [name, member] of Object.entries(value)) {
    if (reserved.has(name)) return `the member \`${name}\` cannot be put to Cedar`;
    // Cedar knows no null: what is null is not there, and `has` tells.
    if (member === null) continue;
    const converted = cedarValue(member);
    if ("problem" in converted) return converted.problem;
    made.push([name, converted.value]);
  }
  return Object.fromEntries(made);
}

type Converted = { readonly value: Cedar.CedarValueJson } | { readonly problem: string };

/** Whole numbers are Cedar's `Long`, others its `decimal` of at most four places. What fits neither cannot be asked about. */
function cedarValue(value: Exclude<Json, null>): Converted {
  if (typeof value === "string" || typeof value === "boolean") return { value };
  if (typeof value === "number") return cedarNumber(value);
  if (Array.isArray(value)) {
    const items: Cedar.CedarValueJson[] = [];
    for (const item of value as readonly Json[]) {
      if (item === null) return { problem: "a list with a null in it cannot be put to Cedar" };
      const converted = cedarValue(item);
      if ("problem" in converted) return converted;
      items.push(converted.value);
    }
    return { value: items };
  }
  const record = cedarRecord(value as JsonObject);
  return typeof record === "string" ? { problem: record } : { value: record };
}

function cedarNumber(value: number): Converted {
  if (Number.isSafeInteger(value)) return { value };
  const arg = value.toFixed(decimalPlaces);
  if (Number(arg) !== value || Math.abs(value) > decimalMax) return { problem: `the number ${value} has no exact form in Cedar` };
  return { value: { __extn: { fn: "decimal", arg } } };
}
