/**
 * Ajv as this product uses it: lazily compiled, without remote loading, with our own formats and patterns, and with the length keywords replaced (its
 * own count code points of every string, although most bounds are decided by the length alone).
 */
import { Ajv, type CodeKeywordDefinition, type ErrorObject, type KeywordCxt, type Options, _ } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { Limits } from "../base/limits.ts";
import type { JsonSchema } from "../domain/tool.ts";
import { formats } from "./formats.ts";
import { stepKeyword } from "./normalise.ts";
import { compilePattern } from "./patterns.ts";

/** How a schema is compiled. */
export interface EngineOptions {
  readonly isDraft7: boolean;
  readonly isForeign: boolean;
  readonly limits: Limits;
  /** Whether `format` is asserted. */
  readonly assertsFormats: boolean;
  /** Whether a reference goes to the dialects' own schemas, which then have to be there. */
  readonly needsMetaSchemas: boolean;
}

/** Which answer is wanted: only yes or no; or every error with the values concerned. */
export type Detail = "verdict" | "first-error" | "all-errors";

/** A compiled schema: Ajv's function, whose errors are read straight after the call. */
export interface Validator {
  (value: unknown): boolean;
  readonly errors?: readonly ErrorObject[] | null;
}

/** Thrown inside a validation that has tried too many alternatives. */
export class StepsExhausted extends Error {
  override readonly name = "StepsExhausted";
}

/** Steps that the running validation may still take. Validation is synchronous, so one counter serves all. */
const steps = { left: 0 };

/** Runs a validator within a number of steps. A schema whose alternatives multiply without bound gives `exhausted`. */
export function runBounded(validator: Validator, value: unknown, stepsMax: number): boolean | "exhausted" {
  steps.left = stepsMax;
  try {
    return validator(value);
  } catch (error) {
    if (error instanceof StepsExhausted || error instanceof RangeError) return "exhausted";
    throw error;
  }
}

/** An Ajv instance of its own with one normalised schema in it, so that ids of different tools never meet and dropping it frees everything. */
export class Engine {
  private readonly ajv: Ajv;
  private readonly schema: JsonSchema;

  constructor(schema: JsonSchema, detail: Detail, options: EngineOptions) {
    this.ajv = createAjv(detail, options);
    this.schema = schema;
  }

  /** The validator of the whole schema. */
  whole(): Validator {
    return this.ajv.compile(this.schema as object) as Validator;
  }

  /** The validator of the subschema at a JSON pointer, references of the whole included; undefined where there is none of its own. */
  part(pointer: string): Validator | undefined {
    const key = "signalbox-part";
    if (this.ajv.schemas[key] === undefined) this.ajv.addSchema(this.schema as object, key);
    return this.ajv.getSchema(`${key}#${encodeURI(pointer)}`) as Validator | undefined;
  }
}

function createAjv(detail: Detail, options: EngineOptions): Ajv {
  const settings: Options = {
    strict: false,
    logger: false,
    validateSchema: false,
    ownProperties: true,
    meta: options.needsMetaSchemas,
    allErrors: detail === "all-errors",
    verbose: detail !== "verdict",
    messages: false,
    inlineRefs: !options.isForeign,
    validateFormats: options.assertsFormats,
    formats: Object.fromEntries(Object.entries(formats).map(([name, format]) => [name, format.holds])),
    code: { regExp: patternEngine(options) },
  };
  const ajv = options.isDraft7 ? new Ajv({ ...settings, ignoreKeywordsWithRef: true } as Options) : new Ajv2020(settings);
  ajv.removeKeyword("minLength").addKeyword(lengthKeyword("minLength"));
  ajv.removeKeyword("maxLength").addKeyword(lengthKeyword("maxLength"));
  if (options.isForeign) ajv.addKeyword({ keyword: stepKeyword, before: "$ref", schemaType: "boolean", errors: false, validate: takeStep });
  return ajv as Ajv;
}

function patternEngine(options: EngineOptions): NonNullable<NonNullable<Options["code"]>["regExp"]> {
  const engine = (source: string) => compilePattern(source, options);
  engine.code = "patternEngine";
  return engine as never;
}

function takeStep(): boolean {
  steps.left -= 1;
  if (steps.left < 0) throw new StepsExhausted("validation took too many steps");
  return true;
}

/**
 * A string has at least half as many code points as code units and at most as many, which decides most lengths without counting.
 */
function lengthKeyword(keyword: "minLength" | "maxLength"): CodeKeywordDefinition {
  return {
    keyword,
    type: "string",
    schemaType: "number",
    error: { message: "", params: ({ schemaCode }) => _`{limit: ${schemaCode}}` },
    code(keywordContext: KeywordCxt) {
      const { gen, data, schemaCode } = keywordContext;
      const count = gen.scopeValue("func", { ref: codePoints });
      if (keyword === "maxLength")
        keywordContext.fail(_`${data}.length > ${schemaCode} && (${data}.length > 2 * ${schemaCode} || ${count}(${data}) > ${schemaCode})`);
      else
        keywordContext.fail(_`${data}.length < 2 * ${schemaCode} && (${data}.length < ${schemaCode} || ${count}(${data}) < ${schemaCode})`);
    },
  };
}

function codePoints(text: string): number {
  let count = text.length;
  for (let index = 1; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if ((unit & 0xfc00) !== 0xdc00 || (text.charCodeAt(index - 1) & 0xfc00) !== 0xd800) continue;
    count -= 1;
    index += 1;
  }
  return count;
}
