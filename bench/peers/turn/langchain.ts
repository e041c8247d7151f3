/** LangChain: `createAgent` with a chat model of its own interface. Tracing is off unless its variables are set, and the parent sets none. */
import { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, ToolMessage, type BaseMessage } from "@langchain/core/messages";
import type { ChatResult } from "@langchain/core/outputs";
import { createAgent, tool } from "langchain";
import { argumentsText } from "../../standard-call.ts";
import { expectShown, lastWords, question, runTool, serveTurns } from "./child.ts";
import { description, inputSchema, toolName } from "./schema.ts";

let asked = { index: 0, hasCall: false };

class ScriptedModel extends BaseChatModel {
  constructor() {
    super({});
  }

  _llmType(): string {
    return "scripted";
  }

  // The agent binds its tools before each request, as it does for a provider's model.
  override bindTools(): this {
    return this;
  }

  override _generate(messages: BaseMessage[]): Promise<ChatResult> {
    const last = messages.at(-1);
    if (last instanceof ToolMessage) expectShown(last.content);
    const { index, hasCall } = asked;
    const message =
      hasCall && !(last instanceof ToolMessage)
        ? new AIMessage({
            content: "",
            // A provider's model parses the text itself before it hands the message on.
            tool_calls: [
              { id: `call_${index}`, name: toolName, type: "tool_call", args: JSON.parse(argumentsText(index)) as Record<string, unknown> },
            ],
          })
        : new AIMessage(lastWords);
    return Promise.resolve({ generations: [{ text: "", message }] });
  }
}

const refund = tool(() => JSON.stringify(runTool()), { name: toolName, description, schema: inputSchema });
const agent = createAgent({ model: new ScriptedModel(), tools: [refund] });

serveTurns(async (index, hasCall) => {
  asked = { index, hasCall };
  const { messages } = await agent.invoke({ messages: [{ role: "user", content: question }] });
  const words = messages.at(-1)?.content;
  return typeof words === "string" ? words : "";
});
