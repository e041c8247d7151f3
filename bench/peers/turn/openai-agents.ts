/** OpenAI Agents: `Runner` with a model of its own interface, tracing disabled. */
import { Agent, Runner, setTracingDisabled, tool, Usage, type Model, type ModelRequest, type ModelResponse } from "@openai/agents";
import { argumentsText } from "../../standard-call.ts";
import { expectShown, lastWords, question, runTool, serveTurns } from "./child.ts";
import { description, inputSchema, toolName } from "./schema.ts";

setTracingDisabled(true);
let asked = { index: 0, hasCall: false };

const model: Model = {
  getResponse({ input }: ModelRequest): Promise<ModelResponse> {
    const last = typeof input === "string" ? undefined : input.at(-1);
    const isAnswered = last?.type === "function_call_result";
    if (isAnswered) expectShown(last.output);
    const { index, hasCall } = asked;
    return Promise.resolve({
      usage: new Usage(),
      output:
        hasCall && !isAnswered
          ? [{ type: "function_call", callId: `call_${index}`, name: toolName, arguments: argumentsText(index), status: "completed" }]
          : [{ type: "message", role: "assistant", status: "completed", content: [{ type: "output_text", text: lastWords }] }],
    });
  },
  getStreamedResponse: () => {
    throw new Error("not asked for");
  },
};

const refund = tool({ name: toolName, description, parameters: inputSchema, execute: () => Promise.resolve(runTool()) });
const agent = new Agent({ name: "support", instructions: "Help.", model, tools: [refund] });
const runner = new Runner({ tracingDisabled: true });

serveTurns(async (index, hasCall) => {
  asked = { index, hasCall };
  const { finalOutput } = await runner.run(agent, question);
  return finalOutput ?? "";
});
