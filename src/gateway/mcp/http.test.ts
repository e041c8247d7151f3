import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createGather } from "../../base/gather.ts";
import { defaultLimits } from "../../base/limits.ts";
import type { McpFace } from "./face.ts";
import { answerMcp } from "./http.ts";
import { credentials } from "./mcp.fixture.ts";

const message = {
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "shop.get", _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } },
};

/** Whether the call was taken back by the time that it was handed over, when the client leaves before that or does not. */
async function isTakenBack(leaves: boolean): Promise<boolean | undefined> {
  const request = new IncomingMessage(new Socket());
  request.method = "POST";
  request.headers = { "content-type": "application/json" };
  const response = new ServerResponse(request);
  let isAborted: boolean | undefined;
  const face: Pick<McpFace, "handle"> = {
    handle(_message, _sender, { gone }) {
      isAborted = gone?.aborted;
      return Promise.resolve({ kind: "accepted" });
    },
  };
  const parts = { limits: defaultLimits, clock: systemClock, gather: createGather(defaultLimits.gatheredTasksMax) };
  const names = { requestId: "req_1", traceId: "req_1" };
  const answered = answerMcp(face as McpFace, { request, response, names, credential: credentials.agent }, parts);
  request.push(JSON.stringify(message));
  request.push(null);
  request.complete = true;
  request.once("end", () => {
    if (leaves) response.destroy();
  });
  await answered;
  return isAborted;
}

test("a client that leaves while its message waits for its turn has taken its call back", async () => {
  expect(await isTakenBack(true)).toBe(true);
  expect(await isTakenBack(false)).toBe(false);
});
