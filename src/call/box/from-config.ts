import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import type { Clock } from "../../base/clock.ts";
import { systemEnvironment, type Environment } from "../../base/environment.ts";
import type { Limits } from "../../base/limits.ts";
import { systemRandom } from "../../base/random.ts";
import type { Config, StoreConfig, PointConfig } from "../../config/document.ts";
import { cedarDecisionPoint } from "../../connectors/cedar-point.ts";
import { httpDecisionPoint } from "../../connectors/http-point.ts";
import { HttpCredential } from "../../connectors/http-credential.ts";
import { httpConnector } from "../../connectors/http.ts";
import { webhook } from "../../connectors/webhook.ts";
import { mcpSource } from "../../connectors/mcp/source.ts";
import type { DecisionPoint } from "../../domain/decision-point.ts";
import type { RegisteredTool } from "../../domain/tool.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { completeTool } from "../../registry/complete.ts";
import type { SignalboxOptions, SourceOptions } from "./options.ts";

/** The options that a configuration file stands for. Modules are imported; their exports that `tool()` made are registered. */
export async function optionsFromConfig(
  config: Config,
  clock: Clock,
  environment: Environment = systemEnvironment(),
): Promise<SignalboxOptions> {
  return {
    tools: [...httpTools(config, clock), ...(await moduleTools(config.modules))],
    sources: mcpSources(config, clock, environment),
    decisionPoints: await Promise.all(config.decisionPoints.map((point) => decisionPoint(point, config.limits))),
    upstreams: config.upstreams,
    policy: config.policyRaw,
    flow: { mode: config.flowMode, personalData: config.personalData },
    store: storeOf(config.store),
    limits: changedLimits(config.limits),
    readOnly: config.readOnly,
    anchors: config.anchors,
    ...(config.notify !== undefined && { notify: webhook(config.notify, config.limits) }),
    ...(config.keys !== undefined && { keys: config.keys }),
    ...(config.sharedLimits !== undefined && { sharedLimits: config.sharedLimits }),
  };
}

async function decisionPoint(point: PointConfig, limits: Limits): Promise<DecisionPoint> {
  if (point.protocol !== "cedar") return httpDecisionPoint(point, limits);
  const { schema } = point;
  const policies = await pointFile(point.name, point.policies);
  return await cedarDecisionPoint({ ...point, policies, ...(schema !== undefined && { schema: await pointFile(point.name, schema) }) });
}

async function pointFile(name: string, path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw toolCallError("CONFIG_INVALID", `\`${path}\` of the decision point \`${name}\` cannot be read`, { cause });
  }
}

/** Nothing is started here: a box starts its sources, and closes them. */
function mcpSources(config: Config, clock: Clock, environment: Environment): readonly SourceOptions[] {
  const parts = { clock, random: systemRandom, limits: config.limits, environment };
  return config.mcpSources.map(({ mcp, admit, allow, tier, tiers, isEgress, runsAs, timeoutMs, tools }) => ({
    source: mcpSource(mcp, parts),
    admit,
    allow,
    tier,
    tiers,
    isEgress,
    runsAs,
    tools,
    ...(timeoutMs !== undefined && { timeoutMs }),
  }));
}

function storeOf(store: StoreConfig): NonNullable<SignalboxOptions["store"]> {
  if (store.kind === "memory") return "memory";
  return store.kind === "sqlite" ? `sqlite:${store.path}` : (store.url as `postgres://${string}`);
}

function httpTools(config: Config, clock: Clock): RegisteredTool[] {
  const { limits } = config;
  return config.sources.flatMap((source) => {
    const auth = source.tools[0]?.http.auth;
    // One for all operations, so that a token that one of them has got serves the others.
    const credential = auth === undefined ? undefined : new HttpCredential(auth, { clock, limits });
    return source.tools.map(({ parts, http }) => ({
      tool: completeTool({ ...parts, source: source.name }, limits),
      connector: httpConnector(http, { clock, limits, credential }),
    }));
  });
}

async function moduleTools(paths: readonly string[]): Promise<RegisteredTool[]> {
  const found: RegisteredTool[] = [];
  for (const path of paths) {
    let exports: Record<string, unknown>;
    try {
      exports = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
    } catch (cause) {
      throw toolCallError("CONFIG_INVALID", `the module \`${path}\` under \`tools.modules\` cannot be loaded: ${loadProblem(cause)}`, {
        cause,
      });
    }
    const tools = Object.values(exports)
      .flatMap((value): readonly unknown[] => (Array.isArray(value) ? value : [value]))
      .filter(isRegisteredTool);
    if (tools.length === 0)
      throw toolCallError("CONFIG_INVALID", `the module \`${path}\` exports no tool; export what \`tool({…})\` returns`);
    found.push(...tools);
  }
  return found;
}

// What Node.js itself says of a module is told; what a module throws may hold anything.
function loadProblem(cause: unknown): string {
  const { code, message } = cause as { readonly code?: unknown; readonly message?: unknown };
  const isOfNode = cause instanceof SyntaxError || (typeof code === "string" && code.startsWith("ERR_"));
  const said = isOfNode && typeof message === "string" ? (message.split("\n")[0] ?? "").trim() : "";
  return said === "" ? "it throws; run it with node to see what" : `${said.charAt(0).toLowerCase()}${said.slice(1)}`;
}

function isRegisteredTool(value: unknown): value is RegisteredTool {
  return typeof value === "object" && value !== null && "tool" in value && "connector" in value;
}

function changedLimits(limits: Limits): Readonly<Record<string, unknown>> {
  return { ...limits };
}
