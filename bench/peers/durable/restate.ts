/** Restate: a service whose handler makes the steps, called through the server's ingress; server and service on loopback, with the server's defaults. */
import { createServer, type AddressInfo } from "node:net";
import * as restate from "@restatedev/restate-sdk";
import { Pool } from "undici";
import { argumentsText } from "../../standard-call.ts";
import { callersCount, runStep, serveWorkflows, stepsCount } from "./child.ts";

const [ingressPort = "", adminPort = ""] = process.argv.slice(2);
const steps = restate.service({
  name: "steps",
  handlers: {
    run: async (context: restate.Context, _args: unknown): Promise<string> => {
      for (let step = 0; step < stepsCount; step += 1) await context.run("refund", runStep);
      return "done";
    },
  },
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const port = await freePort();
await restate.serve({ services: [steps], port });
const admin = new Pool(`http://127.0.0.1:${adminPort}`);
const registered = await admin.request({
  path: "/deployments",
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ uri: `http://127.0.0.1:${port}` }),
});
if (registered.statusCode >= 300) throw new Error(`the service was not registered: ${await registered.body.text()}`);
const ingress = new Pool(`http://127.0.0.1:${ingressPort}`, { connections: callersCount });

serveWorkflows(async (index) => {
  const answer = await ingress.request({
    path: "/steps/run",
    method: "POST",
    headers: { "content-type": "application/json" },
    body: argumentsText(index),
  });
  const text = await answer.body.text();
  if (text !== '"done"') throw new Error(`the workflow ended with ${answer.statusCode} ${text.slice(0, 300)}`);
});
