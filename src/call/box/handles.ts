import { canonicalJson } from "../../base/canonical-json.ts";
import { parseOwnJson } from "../../base/own-json.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import type { HandlePage } from "./box.ts";
import type { SettledBody } from "../../ledger/entries.ts";
import type { Entry } from "../../store/store.ts";
import type { Runtime } from "../runtime.ts";
import { labelOf } from "../shape.ts";
import type { BoxSession } from "./box-session.ts";

interface HandleBody {
  readonly callId: string;
  readonly sessionId: string;
  readonly tool: string;
  readonly expiresAtMs: number;
}

/**
 * One page of what a cut result still holds. A handle is bound to its session, ends with its expiry, and is authorised anew: whoever has lost the
 * tool since has lost its results too.
 */
export async function readHandle(
  runtime: Runtime,
  handle: string,
  session: BoxSession,
  page: { readonly offset: number; readonly limit: number },
): Promise<HandlePage> {
  const { tenant } = session.principal;
  const absent = toolCallError("NOT_FOUND", "no such handle in this session, or it has expired; make the call again");
  const [row] = await runtime.store.read([{ space: "handle", tenant, key: handle }]);
  const body = row?.body as unknown as HandleBody | undefined;
  if (body === undefined || body.sessionId !== session.id || runtime.clock.now() >= body.expiresAtMs) throw absent;
  if (session.session.stopped !== undefined) throw toolCallError("SESSION_STOPPED", "this session was stopped");
  const granted = runtime.registry.resolve(body.tool, (tool) => session.visibleTools().some((visible) => visible.name === tool.name));
  if (granted.kind !== "found") throw absent;
  const [entry] = await runtime.store.entries({ tenant, callId: body.callId, kind: "call-settled", newestFirst: true, limit: 1 });
  const opened = entry === undefined ? undefined : await runtime.vault.openValues(entry);
  const value = opened?.["result"]?.value;
  if (value === undefined) throw absent;
  const text = canonicalJson(value);
  // As it was when it was read, not as the tool may be declared since; either only ever restricts.
  const { label } = (parseOwnJson((entry as Entry).text) as unknown as { readonly body: SettledBody }).body;
  const offset = Math.max(0, Math.min(page.offset, text.length));
  const end = Math.min(text.length, offset + Math.max(1, Math.min(page.limit, runtime.limits.handlePageCharsMax)));
  return {
    text: text.slice(offset, end),
    offset,
    totalChars: text.length,
    nextOffset: end < text.length ? end : undefined,
    label: label ?? labelOf(granted.registered.tool),
  };
}
