/**
 * Signalbox: every step a governed call. Of an irreversible tool intent and outcome are on disk before it is answered, so that it never runs twice; of a `read`
 * only the outcome is, and what a crash cuts off may run again, as a step of the engines does.
 */
import { systemClock } from "../../../src/base/clock.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { openPostgresStore } from "../../../src/store/postgres.ts";
import { openSqliteStore } from "../../../src/store/sqlite.ts";
import { openDurableBoxOn } from "../../durable-call.ts";
import { callersCount, runStep, serveWorkflows, stepsCount } from "./child.ts";

const [address = "", keys = "", tier = ""] = process.argv.slice(2);
const store = address.startsWith("postgres:")
  ? await openPostgresStore({ connectionString: address, clock: systemClock, random: systemRandom })
  : await openSqliteStore({ path: address, clock: systemClock });
const durable = await openDurableBoxOn(store, keys, callersCount, { run: runStep, tier: tier === "read" ? "read" : "irreversible" });

serveWorkflows(async (index, callerIndex) => {
  for (let step = 0; step < stepsCount; step += 1) await durable.call(index * stepsCount + step, callerIndex);
});
