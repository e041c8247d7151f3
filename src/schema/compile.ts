import { canonicalJson } from "../base/canonical-json.ts";
import { sha256Hex } from "../base/hash.ts";
import { defaultLimits, type Limits } from "../base/limits.ts";
import type { JsonSchema } from "../domain/tool.ts";
import { toolCallError, type FieldProblem } from "../errors/tool-call-error.ts";
import { createDeclarations, type Declarations } from "./declared.ts";
import { Engine, runBounded, type Detail, type EngineOptions, type Validator } from "./engine.ts";
import { explain } from "./explain.ts";
import { buildGraph, type SchemaGraph, type SchemaNode } from "./graph.ts";
import { normalise } from "./normalise.ts";
import { compilePattern } from "./patterns.ts";
import { hasOnlyDeclared, quickShape, type QuickShape } from "./quick-shape.ts";
import { isMetaSchema, schemaProblems } from "./vet.ts";
import type { Finding, Findings } from "./findings.ts";

/** How a schema is to be read. */
export interface CompileOptions {
  /** From outside: patterns run on the linear-time engine and alternatives are counted. */
  readonly isForeign: boolean;
  readonly limits: Limits;
  /** Members that nobody declared are refused, as for the arguments of a tool. Default false: the schema means what JSON Schema says. */
  readonly isClosed?: boolean;
  /** Whether known formats are asserted rather than remarks. Default true. */
  readonly assertsFormats?: boolean;
  /** Other documents by absolute URI that references may reach. Default none. */
  readonly documents?: Readonly<Record<string, JsonSchema>>;
}

/** A schema ready to judge values. Compiled at the first value. */
export interface CompiledSchema {
  readonly schema: JsonSchema;
  /** Whether a value fits; the quick way. */
  accepts(value: unknown): boolean;
  /** What is wrong with a value in words for a model, at most `errorFieldsMax` fields; undefined when it fits. */
  check(value: unknown): readonly FieldProblem[] | undefined;
  /** The raw findings that repairs start from; empty when the value fits. */
  findings(value: unknown): Findings;
  readonly limits: Limits;
}

// Definitions are shared between sessions and re-imported often; the least recently used goes first.
const cache = new Map<string, CompiledSchema>();

/**
 * Makes a schema ready. The same schema under the same options gives the same object while it is among the last `schemasCompiledMax`.
 *
 * @throws ToolCallError `CONFIG_INVALID` with every problem of the schema.
 */
export function compileSchema(schema: JsonSchema, options: CompileOptions): CompiledSchema {
  const problems = schemaProblems(schema, options);
  if (problems.length > 0) throw toolCallError("CONFIG_INVALID", `the schema cannot be used: ${problems.join("; ")}`);
  const { limits, ...rest } = options;
  const key = sha256Hex(canonicalJson([schema, rest, limits === defaultLimits ? "default" : limits]));
  const known = cache.get(key);
  if (known !== undefined) cache.delete(key);
  const compiled = known ?? new LazySchema(schema, options);
  cache.set(key, compiled);
  // More than one where another box of this process allows more.
  for (const oldest of cache.keys()) {
    if (cache.size <= limits.schemasCompiledMax) break;
    cache.delete(oldest);
  }
  return compiled;
}

class LazySchema implements CompiledSchema {
  readonly schema: JsonSchema;
  readonly limits: Limits;
  private readonly options: CompileOptions;
  private readonly validators = new Map<Detail, Validator>();
  private readonly parts = new Map<SchemaNode, Validator | undefined>();
  private knownDocument: JsonSchema | undefined;
  private knownGraph: SchemaGraph | undefined;
  private knownDeclarations: Declarations | undefined;
  private partEngine: Engine | undefined;
  private quick: QuickShape | "not-built" | undefined = "not-built";
  private verdict: Validator | undefined;

  constructor(schema: JsonSchema, options: CompileOptions) {
    this.schema = schema;
    this.options = options;
    this.limits = options.limits;
  }

  accepts(value: unknown): boolean {
    this.verdict ??= this.validator("verdict");
    const isRight = this.options.isForeign ? this.run(this.verdict, value) : this.verdict(value);
    return isRight === true && (this.options.isClosed !== true || this.isDeclared(value));
  }

  private isDeclared(value: unknown): boolean {
    if (this.quick === "not-built") this.quick = quickShape(this.declarations());
    return this.quick === undefined ? this.declarations().unknownMembers(value, 1).length === 0 : hasOnlyDeclared(this.quick, value);
  }

  check(value: unknown): readonly FieldProblem[] | undefined {
    if (this.accepts(value)) return undefined;
    return explain(this.findings(value), value, this.limits);
  }

  findings(value: unknown): Findings {
    this.verdict ??= this.validator("verdict");
    const unknown = (): Findings["unknown"] =>
      this.options.isClosed === true ? this.declarations().unknownMembers(value, this.limits.errorFieldsMax) : [];
    // An explanation costs many times what a verdict costs, so for a schema from outside the verdict comes first and the explanation has fewer steps.
    const verdict = this.options.isForeign ? this.run(this.verdict, value) : false;
    if (verdict === "exhausted") return { errors: [], unknown: [], isExhausted: true };
    if (verdict) return { errors: [], unknown: unknown(), isExhausted: false };
    const validator = this.validator(countValues(value, this.limits.explainedValuesMax) ? "all-errors" : "first-error");
    const isRight = runBounded(validator, value, this.limits.explanationStepsMax);
    // The errors of what stands outside come last.
    const errors = isRight === false ? ((validator.errors ?? []) as readonly Finding[]).slice(-this.limits.explainedErrorsMax) : [];
    return { errors, unknown: unknown(), isExhausted: isRight === "exhausted" };
  }

  private run(validator: Validator, value: unknown): boolean | "exhausted" {
    return runBounded(validator, value, this.limits.validationStepsMax);
  }

  private validator(detail: Detail): Validator {
    const known = this.validators.get(detail);
    if (known !== undefined) return known;
    const validator = new Engine(this.normalised(), detail, this.engineOptions()).whole();
    this.validators.set(detail, validator);
    return validator;
  }

  private declarations(): Declarations {
    this.knownDeclarations ??= createDeclarations(this.graph(), {
      accepts: (node, value) => this.partAccepts(node, value),
      compilePattern: (source) => compilePattern(source, this.options),
    });
    return this.knownDeclarations;
  }

  // Which alternative a value takes. A part that has no validator of its own counts as taken: it may declare members, never refuse any.
  private partAccepts(node: SchemaNode, value: unknown): boolean {
    if (typeof node.schema === "boolean") return node.schema;
    if (!this.parts.has(node)) {
      this.partEngine ??= new Engine(this.normalised(), "verdict", this.engineOptions());
      this.parts.set(node, node.isInRoot ? this.partEngine.part(node.pointer) : undefined);
    }
    const validator = this.parts.get(node);
    return validator === undefined || this.run(validator, value) === true;
  }

  private graph(): SchemaGraph {
    this.knownGraph ??= buildGraph(this.schema, this.options.documents);
    return this.knownGraph;
  }

  private normalised(): JsonSchema {
    this.knownDocument ??= normalise(this.graph(), this.options.documents ?? {}, { countsSteps: this.options.isForeign });
    return this.knownDocument;
  }

  private engineOptions(): EngineOptions {
    const graph = this.graph();
    return {
      isDraft7: graph.root.isDraft7,
      isForeign: this.options.isForeign,
      limits: this.limits,
      assertsFormats: this.options.assertsFormats ?? true,
      needsMetaSchemas: graph.deadReferences.some(({ reference }) => isMetaSchema(reference)),
    };
  }
}

// Whether a value is small enough that naming everything wrong in it stays cheap.
function countValues(value: unknown, max: number): boolean {
  const queue: unknown[] = [value];
  let count = 0;
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    count += 1;
    if (count + queue.length > max) return false;
    if (typeof next === "object" && next !== null) for (const member of Object.values(next)) queue.push(member);
  }
  return true;
}
