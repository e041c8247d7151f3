import type { Clock, Timer } from "../../base/clock.ts";
import type { Limits } from "../../base/limits.ts";
import type { Tool } from "../../domain/tool.ts";
import type { BoxSession } from "../../call/box/box-session.ts";

/** Tells when the tools that a session may call are others than before: by a policy, a source, a review, a revoked role. */
export interface ListWatch {
  /** Returns how to stop. */
  add(session: Pick<BoxSession, "visibleTools">, onChange: () => void): () => void;
}

interface Watched {
  readonly session: Pick<BoxSession, "visibleTools">;
  readonly onChange: () => void;
  seen: readonly Tool[];
  names: string;
}

/**
 * Looks every `mcpListWatchMs` while anybody watches. A look is a comparison of two references while nothing changed anywhere, so that the call path
 * need not know who listens; a change that a session cannot see is none for it.
 */
export function createListWatch({ clock, limits }: { readonly clock: Clock; readonly limits: Limits }): ListWatch {
  const watched = new Set<Watched>();
  let timer: Timer | undefined;
  const look = (): void => {
    for (const each of watched) {
      const tools = each.session.visibleTools();
      if (tools === each.seen) continue;
      const names = namesOf(tools);
      const isOther = names !== each.names;
      each.seen = tools;
      each.names = names;
      if (isOther) each.onChange();
    }
    timer = watched.size === 0 ? undefined : clock.after(limits.mcpListWatchMs, look);
  };
  return {
    add(session, onChange) {
      const seen = session.visibleTools();
      const each: Watched = { session, onChange, seen, names: namesOf(seen) };
      watched.add(each);
      timer ??= clock.after(limits.mcpListWatchMs, look);
      return () => {
        watched.delete(each);
        if (watched.size > 0) return;
        timer?.cancel();
        timer = undefined;
      };
    },
  };
}

function namesOf(tools: readonly Tool[]): string {
  return tools.map((tool) => `${tool.name}@${tool.fingerprint}`).join("\n");
}
