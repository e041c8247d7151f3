import { defaultLimits } from "../base/limits.ts";
import type { JsonObject } from "../domain/json.ts";
import type { ArgumentRole, Connector, Execution, ExecutionResult, RegisteredTool, Tool } from "../domain/tool.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { completeTool, type ToolParts } from "./complete.ts";
import { definitionProblems } from "./definition-problems.ts";
import { isStandard, toJsonSchema, type ArgumentsOf, type StandardInput, type StandardIssue, type ToolInput } from "./standard-schema.ts";

/** What a handler may use of the call that it carries out. */
export type HandlerExecution = Pick<
  Execution,
  "callId" | "key" | "signal" | "principal" | "sessionId" | "attempt" | "progress" | "secret" | "conceal"
>;

/** What is said once about a tool. Required are `name`, `tier`, `description`, `input` and either `run` or `connector`. */
export interface ToolDefinition<Input extends ToolInput> extends Omit<
  ToolParts,
  "inputSchema" | "outputSchema" | "argumentRoles" | "isForeign"
> {
  /** Zod 4, ArkType, any Standard Schema that gives JSON Schema, or plain JSON Schema. */
  readonly input: Input;
  /** The same for the result; default: results are not checked. */
  readonly output?: ToolInput | undefined;
  /** What arguments mean, by name (`orderId`) or JSON pointer (`/items/*` + `/sku`). */
  readonly arguments?: Readonly<Record<string, ArgumentRole>> | undefined;
  /** Carries the call out. Pass `key` and `signal` on. What it returns is the result; a throw is classified by the journey. */
  readonly run?: ((args: ArgumentsOf<Input>, execution: HandlerExecution) => unknown) | undefined;
  /** Carries the call out elsewhere, instead of `run`. */
  readonly connector?: Connector | undefined;
}

/**
 * Defines a tool in code: what policy and people see of it, and how its calls are carried out. Arguments are checked against the JSON Schema form of
 * `input` before anything is decided; a schema library's own validation (refinements, transforms) runs after that, and the handler gets its output.
 *
 * @throws ToolCallError `CONFIG_INVALID` with every problem of the definition at once.
 */
export function tool<const Input extends ToolInput>(definition: ToolDefinition<Input>): RegisteredTool {
  const { input, output, arguments: roles, run, connector, ...parts } = definition;
  const converted = toJsonSchema(input);
  const convertedOutput = output === undefined ? undefined : toJsonSchema(output);
  const problems: string[] = [];
  if ("problem" in converted) problems.push(converted.problem);
  if (convertedOutput !== undefined && "problem" in convertedOutput) problems.push(convertedOutput.problem.replace("`input`", "`output`"));
  if ((run === undefined) === (connector === undefined)) problems.push("exactly one of `run` and `connector` is needed");
  problems.push(...rightsProblems(parts.runsAs, connector));
  const said: ToolParts = {
    ...parts,
    inputSchema: "schema" in converted ? converted.schema : {},
    outputSchema: convertedOutput !== undefined && "schema" in convertedOutput ? convertedOutput.schema : undefined,
    argumentRoles: rolesByPointer(roles),
  };
  const whole = completeTool(said);
  problems.push(...definitionProblems(whole, defaultLimits));
  if (problems.length > 0)
    throw toolCallError("CONFIG_INVALID", `the tool \`${shownName(definition.name)}\` is not valid: ${problems.join("; ")}`);
  return {
    tool: whole,
    connector: connector ?? runConnector(run as Handler, isStandard(input) ? input : undefined),
    withLimits: (limits) => completeTool(said, limits),
  };
}

/** A connector that sends a credential acts with somebody's rights, and the definition says whose. */
function rightsProblems(runsAs: Tool["runsAs"] | undefined, connector: Connector | undefined): readonly string[] {
  const actsAs = connector?.actsAs;
  if (actsAs === undefined || actsAs === runsAs) return [];
  const sends = `its connector sends a credential of the ${actsAs}`;
  return [runsAs === undefined ? `${sends}, so add \`runsAs: "${actsAs}"\`` : `\`runsAs\` is \`${runsAs}\`, but ${sends}`];
}

type Handler = (args: never, execution: HandlerExecution) => unknown;

function shownName(name: unknown): string {
  return String(name)
    .replace(/[^!-~]/g, "?")
    .slice(0, 80);
}

function rolesByPointer(roles: Readonly<Record<string, ArgumentRole>> | undefined): Tool["argumentRoles"] {
  return Object.fromEntries(
    Object.entries(roles ?? {}).map(([name, role]) => [
      name.startsWith("/") ? name : `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`,
      role,
    ]),
  );
}

function runConnector(run: Handler, schema: StandardInput | undefined): Connector {
  const validate = schema?.["~standard"].validate;
  async function checkedAnswer(args: JsonObject, execution: Execution): Promise<ExecutionResult> {
    const checked = await (validate as NonNullable<typeof validate>)(args);
    if (checked.issues !== undefined) return refused(checked.issues);
    return valueOf(await run(checked.value as never, new HandlerView(execution)));
  }
  return {
    kind: "function",
    execute(args, execution) {
      if (validate === undefined) return answerOf(run(args as never, new HandlerView(execution)));
      return checkedAnswer(args, execution);
    },
  };
}

/** What a handler returned, at once where it did not make a promise of it. */
function answerOf(returned: unknown): ExecutionResult | Promise<ExecutionResult> {
  const isThenable = typeof returned === "object" && returned !== null && typeof (returned as PromiseLike<unknown>).then === "function";
  return isThenable ? Promise.resolve(returned).then(valueOf) : valueOf(returned);
}

function valueOf(value: unknown): ExecutionResult {
  return { kind: "value", value };
}

/** What a handler sees of its execution. A signal is made only for a handler that asks: most never do, and it costs more than the rest of an attempt. */
class HandlerView implements HandlerExecution {
  readonly callId: string;
  readonly key: string;
  readonly principal: Execution["principal"];
  readonly sessionId: string;
  readonly attempt: number;
  readonly #execution: Execution;

  constructor(execution: Execution) {
    this.callId = execution.callId;
    this.key = execution.key;
    this.principal = execution.principal;
    this.sessionId = execution.sessionId;
    this.attempt = execution.attempt;
    this.#execution = execution;
  }

  get signal(): AbortSignal {
    return this.#execution.signal;
  }

  get progress(): Execution["progress"] {
    return this.#execution.progress;
  }

  get secret(): Execution["secret"] {
    return this.#execution.secret;
  }

  get conceal(): Execution["conceal"] {
    return this.#execution.conceal;
  }
}

// What only the library can check (a refinement) is found here, before the handler ran: certainly without an effect.
function refused(issues: readonly StandardIssue[]): ExecutionResult {
  const said = issues.slice(0, defaultLimits.errorFieldsMax).map((issue) => `\`${pointerOf(issue)}\`: ${oneLine(issue.message)}`);
  return {
    kind: "failure",
    failure: {
      kind: "rejected",
      code: "ARGUMENTS_INVALID",
      effect: "none",
      message: `the arguments do not hold together: ${said.join("; ")}`,
    },
  };
}

function pointerOf(issue: StandardIssue): string {
  return (issue.path ?? []).map((step) => `/${String(typeof step === "object" ? step.key : step)}`).join("");
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").slice(0, 200);
}
