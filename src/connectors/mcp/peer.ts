/** What is agreed with a server before any call: its era, and what it offers. */
import type { Clock } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import type { JsonObject } from "../../domain/json.ts";
import { LinkFailure, linkFailure, type Era, type Link } from "./link.ts";
import { clientInfo, isObject, legacyVersions, modernVersion } from "./wire.ts";

/** What greeting needs. */
export interface GreetParts {
  readonly clock: Clock;
  readonly limits: Limits;
  /** Ends everything. */
  readonly signal: AbortSignal;
}

/** What was found out about a server. `ended`: it has gone away over the question. */
export type Probed = "modern" | "modern-announcing" | "legacy" | "ended";

const modern: Era = { kind: "modern", version: modernVersion };

/**
 * Whether a server speaks the modern era. Asked with `server/discover`, as the protocol says: an error that is no refusal of ours is a server of the eras
 * before. A refused credential, a server that fails and one that cannot be reached say nothing about its era, so they are thrown. Over stdio a server that
 * is silent or ends at a question that it does not know belongs to the eras before as well; it has then to be started again.
 */
export async function probe(link: Link, parts: GreetParts): Promise<Probed> {
  link.speak(modern);
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  const timer = parts.clock.after(link.kind === "stdio" ? parts.limits.mcpProbeMs : parts.limits.mcpConnectMs, stop);
  parts.signal.addEventListener("abort", stop);
  try {
    const found = await link.request({ method: "server/discover", params: {}, signal: controller.signal });
    const { supportedVersions } = found;
    if (!Array.isArray(supportedVersions) || !supportedVersions.includes(modernVersion)) return "legacy";
    return announcesChanges(found) ? "modern-announcing" : "modern";
  } catch (thrown) {
    const failure = linkFailure(thrown);
    const { kind, status } = failure.parts;
    if (parts.signal.aborted) throw failure;
    if (link.kind === "stdio" && kind === "lost") return "ended";
    if (link.kind === "stdio" && kind === "aborted") return "legacy";
    const isAnswered = kind === "rpc" || kind === "malformed";
    if (isAnswered && (status === undefined || status < 500)) return "legacy";
    throw failure;
  } finally {
    timer.cancel();
    parts.signal.removeEventListener("abort", stop);
  }
}

function announcesChanges({ capabilities }: JsonObject): boolean {
  const tools = isObject(capabilities) ? capabilities["tools"] : undefined;
  return isObject(tools) && tools["listChanged"] === true;
}

/**
 * Asks a server of the modern era to say when its tools change. Lasts until the signal fires or the server ends it; whatever comes of it, the tools are
 * listed again from time to time all the same.
 */
export async function listen(link: Link, signal: AbortSignal, onToolsChanged: () => void): Promise<void> {
  const request = { method: "subscriptions/listen", params: { notifications: { toolsListChanged: true } }, signal, onToolsChanged };
  await link.request(request).catch(() => undefined);
}

/** Agrees on the era that `probe` found. Throws a `LinkFailure`. */
export async function greet(link: Link, era: "modern" | "legacy", signal: AbortSignal): Promise<Era> {
  if (era === "modern") {
    link.speak(modern);
    return modern;
  }
  link.speak(undefined);
  const answer = await link.request({
    method: "initialize",
    params: { protocolVersion: legacyVersions[0] as string, capabilities: {}, clientInfo },
    signal,
  });
  const { protocolVersion: version } = answer;
  if (typeof version !== "string" || !legacyVersions.includes(version))
    throw new LinkFailure({ kind: "malformed", message: "the server speaks no version of the protocol that is spoken here" });
  const agreed: Era = { kind: "legacy", version };
  link.speak(agreed);
  await link.notify("notifications/initialized", {});
  return agreed;
}

/**
 * Every tool of a server, all pages together. A server that never ends its list, or repeats a cursor, is refused as a whole: a part of it would make the
 * missing tools look withdrawn.
 */
export async function listTools(link: Link, limits: Limits, signal: AbortSignal): Promise<readonly unknown[]> {
  const tools: unknown[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < limits.mcpListPagesMax; page += 1) {
    const answer: JsonObject = await link.request({ method: "tools/list", params: cursor === undefined ? {} : { cursor }, signal });
    const { tools: found, nextCursor } = answer;
    if (!Array.isArray(found)) throw malformed("its list of tools is none");
    tools.push(...(found as readonly unknown[]));
    if (tools.length > limits.mcpSourceToolsMax)
      throw malformed(`it offers more than ${limits.mcpSourceToolsMax} tools (limit \`mcpSourceToolsMax\`)`);
    if (nextCursor === undefined || nextCursor === null || nextCursor === "") return tools;
    if (typeof nextCursor !== "string" || seen.has(nextCursor)) throw malformed("the pages of its list go round in circles");
    seen.add(nextCursor);
    cursor = nextCursor;
  }
  throw malformed(`its list has more than ${limits.mcpListPagesMax} pages (limit \`mcpListPagesMax\`)`);
}

function malformed(why: string): LinkFailure {
  return new LinkFailure({ kind: "malformed", message: `the server cannot be used: ${why}` });
}

/** A definition as it came, checked for its form alone; or why it is left out. */
export function readDefinition(
  value: unknown,
): { readonly name: string; readonly definition: JsonObject; readonly inputSchema: JsonObject } | string {
  if (!isObject(value)) return "an entry of the list is no tool";
  const { name, inputSchema, description } = value;
  if (typeof name !== "string" || name === "") return "a tool has no name";
  const shown = `\`${name.replace(/[^!-~]/gu, "?").slice(0, 60)}\``;
  if (!isObject(inputSchema)) return `the tool ${shown} has no input schema`;
  if (description !== undefined && typeof description !== "string") return `the description of ${shown} is no text`;
  return { name, definition: value, inputSchema };
}
