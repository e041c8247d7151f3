import type { Limits } from "../../base/limits.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Tool } from "../../domain/tool.ts";
import { ownTools } from "./own-tools.ts";
import type { BoxSession } from "../../call/box/box-session.ts";

/** One page of `tools/list`; undefined for a cursor that was not given out here. */
export type ListPage = { readonly tools: readonly JsonObject[]; readonly nextCursor?: string } | undefined;

/** Pages of the tools that a session may call: those of the registry in the order of their names, then our own. */
export interface ToolLists {
  page(session: BoxSession, cursor: unknown): ListPage;
}

/** Definitions are written once for as long as the very same list of tools is shown, which sessions with the same roles share. */
export function createToolLists(limits: Limits): ToolLists {
  const written = new WeakMap<readonly Tool[], readonly JsonObject[]>();
  return {
    page(session, cursor) {
      const visible = session.visibleTools();
      let whole = written.get(visible);
      if (whole === undefined) {
        const own = new Set(ownTools.map((tool) => tool.definition["name"]));
        whole = [...session.tools("mcp").filter((tool) => !own.has(tool["name"])), ...ownTools.map((tool) => tool.definition)];
        written.set(visible, whole);
      }
      const from = cursor === undefined ? 0 : positionOf(cursor);
      if (from === undefined || from > whole.length) return undefined;
      const until = from + limits.mcpToolsPageMax;
      return { tools: whole.slice(from, until), ...(until < whole.length && { nextCursor: `from-${until}` }) };
    },
  };
}

function positionOf(cursor: unknown): number | undefined {
  const digits = typeof cursor === "string" ? /^from-(\d{1,9})$/.exec(cursor)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}
