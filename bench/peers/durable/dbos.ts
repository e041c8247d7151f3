/** DBOS: workflows of steps, one connection for each caller, logs and telemetry off. */
import { DBOS } from "@dbos-inc/dbos-sdk";
import { argumentsText } from "../../standard-call.ts";
import { callersCount, runStep, serveWorkflows, stepsCount } from "./child.ts";

const systemDatabaseUrl = process.argv[2] ?? "";

async function steps(_args: string): Promise<string> {
  for (let step = 0; step < stepsCount; step += 1) await DBOS.runStep(runStep, { name: "refund" });
  return "done";
}

const workflow = DBOS.registerWorkflow(steps, { name: "steps" });
DBOS.setConfig({
  name: "bench",
  systemDatabaseUrl,
  systemDatabasePoolSize: callersCount,
  applicationVersion: "1",
  logLevel: "error",
  runAdminServer: false,
  enableOTLP: false,
});
await DBOS.launch();

serveWorkflows((index) => workflow(argumentsText(index)));
