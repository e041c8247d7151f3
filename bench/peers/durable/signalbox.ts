/** Signalbox: every step a governed call of an irreversible tool, whose intent and outcome are on disk before it is answered. */
import { systemClock } from "../../../src/base/clock.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { openPostgresStore } from "../../../src/store/postgres.ts";
import { openDurableBox, openDurableBoxOn } from "../../durable-call.ts";
import { callersCount, runStep, serveWorkflows, stepsCount } from "./child.ts";

const [address = "", keys = ""] = process.argv.slice(2);
const durable = address.startsWith("postgres:")
  ? await openDurableBoxOn(
      await openPostgresStore({ connectionString: address, clock: systemClock, random: systemRandom }),
      keys,
      callersCount,
      runStep,
    )
  : await openDurableBox(address, callersCount, undefined, runStep);

serveWorkflows(async (index, callerIndex) => {
  for (let step = 0; step < stepsCount; step += 1) await durable.call(index * stepsCount + step, callerIndex);
});
