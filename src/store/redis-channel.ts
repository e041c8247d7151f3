/**
 * A channel of Redis on which processes hear each other at once (PUBLISH and SUBSCRIBE). Nothing is kept there. What cannot be said at the moment is not said:
 * nobody waits, nothing queues, and whoever speaks repeats the whole of it from time to time. The driver connects again by itself, for ever.
 */
import type * as Driver from "redis";
import type { Limits } from "../base/limits.ts";
import { toolCallError } from "../errors/tool-call-error.ts";

/** Where processes hear each other. */
export interface Channel {
  /** `host:port`, for messages. */
  readonly name: string;
  /** Says it to all who listen, this process too; nothing where the server is away or has not taken what was said before. Never throws. */
  say(text: string): void;
  close(): void;
}

/** What a channel is opened with. */
export interface ChannelParts {
  /** `redis://` or `rediss://` (TLS), with a user and a password where the server wants them. */
  readonly url: string;
  /** Those who say the same topic hear each other. */
  readonly topic: string;
  readonly limits: Limits;
  readonly hear: (text: string) => void;
}

/** Checks a Redis address. `CONFIG_INVALID` without repeating it, since it may hold a password. */
export function checkRedisAddress(url: string): { readonly name: string } {
  const parsed = URL.parse(url);
  if (parsed === null || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === "")
    throw toolCallError("CONFIG_INVALID", "the address of `sharedLimits` is not one of Redis; write `redis://host:6379`");
  return { name: `${parsed.hostname}:${parsed.port === "" ? "6379" : parsed.port}` };
}

/**
 * Opens it. Resolves at once, whether or not the server is there.
 *
 * @throws ToolCallError `CONFIG_INVALID` where the package `redis` is not installed, or the address is none.
 */
export async function openRedisChannel(parts: ChannelParts): Promise<Channel> {
  const { topic, hear } = parts;
  const { name } = checkRedisAddress(parts.url);
  const driver = await loadDriver();
  const speaker = connect(driver, parts);
  const listener = connect(driver, parts);
  let isListening = false;
  let isSaying = false;
  listener.on("ready", () => {
    // Once told, the driver subscribes again by itself whenever it connects again.
    if (isListening) return;
    isListening = true;
    listener.subscribe(topic, hear).catch(() => (isListening = false));
  });
  return {
    name,
    say(text) {
      if (isSaying || !speaker.isReady) return;
      isSaying = true;
      void speaker
        .publish(topic, text)
        // The driver noticed what is wrong, and connects again.
        .catch(() => undefined)
        .then(() => (isSaying = false));
    },
    close() {
      for (const client of [speaker, listener]) if (client.isOpen) client.destroy();
    },
  };
}

type Client = ReturnType<typeof Driver.createClient>;

/** A connection that is made again whenever it is lost, also by a server that refuses it for now. */
function connect(driver: typeof Driver, { url, limits }: ChannelParts): Client {
  const client = driver.createClient({
    url,
    disableOfflineQueue: true,
    pingInterval: limits.channelAwayMs,
    socket: {
      connectTimeout: limits.channelAwayMs,
      // A peer that vanished without a word answers no ping.
      socketTimeout: 2 * limits.channelAwayMs,
      reconnectStrategy: (attempts) => Math.min(50 * 2 ** attempts, limits.channelAwayMs),
    },
  }) as Client;
  // Without a listener an error would end the process. Whether the channel works is seen by whether it is heard.
  client.on("error", () => undefined);
  client.connect().catch(() => undefined);
  return client;
}

async function loadDriver(): Promise<typeof Driver> {
  try {
    return await import("redis");
  } catch (cause) {
    throw toolCallError("CONFIG_INVALID", "`sharedLimits` needs the package `redis`, which is not installed; run `npm install redis@6`", {
      cause,
    });
  }
}
