/** AI SDK: `generateText` with a model of its own interface. Telemetry is off unless an integration is registered. */
import { generateText, stepCountIs, tool, type LanguageModel } from "ai";
import { argumentsText } from "../../standard-call.ts";
import { expectShown, lastWords, question, runTool, serveTurns } from "./child.ts";
import { description, inputSchema, toolName } from "./schema.ts";

type Model = Extract<LanguageModel, { readonly specificationVersion: "v4" }>;

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined },
};

function scripted(index: number, hasCall: boolean): Model {
  return {
    specificationVersion: "v4",
    provider: "scripted",
    modelId: "scripted",
    supportedUrls: {},
    doGenerate: ({ prompt }) => {
      const last = prompt.at(-1);
      if (last?.role === "tool") expectShown(last.content);
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
}

const tools = { [toolName]: tool({ description, inputSchema, execute: () => Promise.resolve(runTool()) }) };

serveTurns(async (index, hasCall) => {
  const { text } = await generateText({ model: scripted(index, hasCall), tools, prompt: question, stopWhen: stepCountIs(3) });
  return text;
});
