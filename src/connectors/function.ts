import type { JsonObject } from "../domain/json.ts";
import type { Connector, Execution } from "../domain/tool.ts";
import { jsonResult } from "./json-result.ts";

/** What a tool given as a function does: it returns (a promise of) a JSON value, and throws a `ToolFailure` for a failure that it understands. */
export type Handler = (args: JsonObject, execution: Execution) => unknown;

/**
 * A connector for a function of this process. It runs in this thread, so a handler that computes for long delays every other call; what it returns
 * must be JSON, see `toJson`. A throw is classified by whoever runs the attempt.
 */
export function functionConnector(run: Handler): Connector {
  return {
    kind: "function",
    async execute(args, execution) {
      return jsonResult(await run(args, execution), execution.tool);
    },
  };
}
