import { threadId } from "node:worker_threads";
import type { JsonObject } from "../domain/json.ts";
import type { Execution } from "../domain/tool.ts";
import { ToolFailure } from "../resilience/tool-failure.ts";

/** Handlers that tests run inside workers. */
export async function run(args: JsonObject, execution: Execution): Promise<unknown> {
  execution.progress("begun");
  return { twice: Number(args["number"]) * 2, key: execution.key, secret: (await execution.secret("secret://env/TOKEN")).length, threadId };
}

export function spin(): never {
  for (;;);
}

export function refuse(): never {
  throw new ToolFailure({ kind: "rejected", message: "not today", effect: "none" });
}

export function crash(): never {
  process.exit(3);
}

export function big(): unknown {
  return 10n;
}
