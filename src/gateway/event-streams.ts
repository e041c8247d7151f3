import type { ServerResponse } from "node:http";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { Limits } from "../base/limits.ts";
import type { JourneyEvent, Signalbox } from "../call/box/box.ts";
import { toolCallError, type ToolCallError } from "../errors/tool-call-error.ts";
import { eventHeaders } from "./replies.ts";
import type { RequestNames } from "./trace.ts";

/** The open streams of events. */
export interface EventStreams {
  /** Turns a response into a stream, or says why there can be none now. */
  open(response: ServerResponse, accepts: (event: JourneyEvent) => boolean, names: RequestNames): ToolCallError | undefined;
  /** Ends every stream. */
  close(): void;
}

/** Streams of one box: at most `eventStreamsMax`; a reader that falls `eventStreamBytesMax` behind is disconnected, so that it costs nobody memory. */
export function createEventStreams(parts: { readonly box: Signalbox; readonly clock: Clock; readonly limits: Limits }): EventStreams {
  const openStreams = new Set<() => void>();
  return {
    open(response, accepts, names) {
      if (openStreams.size >= parts.limits.eventStreamsMax)
        return toolCallError("RATE_LIMITED", `${parts.limits.eventStreamsMax} streams of events are open already`, {
          retryAfterMs: fixedBounds.comeBackLaterMs,
        });
      response.writeHead(200, [...eventHeaders(names)]);
      response.write(": open\n\n");
      openStreams.add(startStream(parts, response, accepts, (end) => openStreams.delete(end)));
      return undefined;
    },
    close() {
      for (const end of openStreams) end();
    },
  };
}

function startStream(
  parts: { readonly box: Signalbox; readonly clock: Clock; readonly limits: Limits },
  response: ServerResponse,
  accepts: (event: JourneyEvent) => boolean,
  forget: (end: () => void) => void,
): () => void {
  let ping: Timer | undefined;
  let hasEnded = false;
  const send = (text: string): void => {
    if (response.writableLength > parts.limits.eventStreamBytesMax) response.destroy();
    else response.write(text);
  };
  const schedule = (): void => {
    ping = parts.clock.after(parts.limits.eventPingMs, () => {
      send(": here\n\n");
      schedule();
    });
  };
  const stop = parts.box.observe((event) => {
    if (!accepts(event)) return;
    const { tenant: _, ...told } = event;
    // One line of JSON, so no value of an event can end it and begin another.
    send(`event: ${event.stage.replace(/[^a-z0-9-]/gi, "")}\ndata: ${JSON.stringify(told)}\n\n`);
  });
  const end = (): void => {
    if (hasEnded) return;
    hasEnded = true;
    stop();
    ping?.cancel();
    forget(end);
    response.end();
  };
  response.on("close", end);
  schedule();
  return end;
}
