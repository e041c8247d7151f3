/** Mastra: `Agent.generate` with a model of the AI SDK's interface, no memory, no storage, no observability. */
import { Agent } from "@mastra/core/agent";
import { createTool } from "@mastra/core/tools";
import { argumentsText } from "../../standard-call.ts";
import { expectShown, lastWords, question, runTool, serveTurns } from "./child.ts";
import { description, inputSchema, toolName } from "./schema.ts";

let asked = { index: 0, hasCall: false };
const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};

type Prompt = readonly { readonly role: string; readonly content: unknown }[];

const model = {
  specificationVersion: "v3" as const,
  provider: "scripted",
  modelId: "scripted",
  supportedUrls: {},
  doGenerate({ prompt }: { readonly prompt: Prompt }) {
    const last = prompt.at(-1);
    if (last?.role === "tool") expectShown(last.content);
    const { index, hasCall } = asked;
    return Promise.resolve(
      hasCall && last?.role !== "tool"
        ? {
            content: [{ type: "tool-call", toolCallId: `call_${index}`, toolName, input: argumentsText(index) }],
            finishReason: { unified: "tool-calls", raw: undefined },
            usage,
            warnings: [],
          }
        : { content: [{ type: "text", text: lastWords }], finishReason: { unified: "stop", raw: undefined }, usage, warnings: [] },
    );
  },
  doStream: () => Promise.reject(new Error("not asked for")),
};

const refund = createTool({ id: toolName, description, inputSchema, execute: () => Promise.resolve(runTool()) });
const agent = new Agent({
  id: "support",
  name: "support",
  instructions: "Help.",
  model: model as unknown as ConstructorParameters<typeof Agent>[0]["model"],
  tools: { [toolName]: refund },
});

serveTurns(async (index, hasCall) => {
  asked = { index, hasCall };
  const { text } = await agent.generate(question);
  return text;
});
