import { assert } from "../../base/assert.ts";
import { toolCallError } from "../../errors/tool-call-error.ts";
import { openRedisChannel } from "../../store/redis-channel.ts";
import { isShared } from "../../store/shared.ts";
import type { RowKey } from "../../store/store.ts";
import type { SignalboxOptions } from "./options.ts";
import type { OpenChannel } from "./pulse.ts";
import type { Runtime } from "../runtime.ts";

/** Names the topic of this store's processes, since several installations may use one server. */
const topicKey: RowKey = { space: "channel", tenant: "", key: "limits" };

/**
 * Opens the channel that `sharedLimits` names; undefined where it names none.
 *
 * @throws ToolCallError `CONFIG_INVALID` where no other process can share the store.
 */
export function channelOf(runtime: Runtime, wanted: SignalboxOptions["sharedLimits"]): OpenChannel | undefined {
  if (wanted === undefined) return undefined;
  if (!isShared(runtime.store))
    throw toolCallError(
      "CONFIG_INVALID",
      "`sharedLimits` is for several processes on one store; use a `postgres://` store, or leave it out",
    );
  return async (hear) => {
    const url = wanted.startsWith("secret:") ? await runtime.secret(wanted) : wanted;
    return await openRedisChannel({ url, topic: await topicOf(runtime), limits: runtime.limits, hear });
  };
}

/** One name for all processes of the store, made by the first. A restored store is another one than that it was a copy of. */
async function topicOf({ store, ids }: Runtime): Promise<string> {
  const put = { op: "put", key: topicKey, body: { id: ids.next("channel") }, expect: "absent" } as const;
  let [row] = await store.read([topicKey]);
  if (row === undefined) {
    // Refused where another process was first.
    await store.commit({ operations: [put], entries: [] });
    [row] = await store.read([topicKey]);
  }
  assert(row !== undefined, "a topic that was made is there");
  return `signalbox:${(row.body as { readonly id: string }).id}:${store.epoch ?? 1}`;
}
