/**
 * Signalbox, in the loop that a program without a framework writes: ask the model, answer its calls, ask again. Fully governed: 20 rules, labels, ledger.
 * Given a path the store is a SQLite file and the tool irreversible, else it is memory and the tool a read.
 */
import { createSignalbox } from "../../../src/call/box/signalbox.ts";
import { argumentsText, caller, standardOptions, standardTool } from "../../standard-call.ts";
import { expectShown, lastWords, question, runTool, serveTurns } from "./child.ts";
import { toolName } from "./schema.ts";

type Message = { readonly role: string; readonly content?: unknown; readonly [key: string]: unknown };

function model(messages: readonly Message[], _tools: unknown, index: number, hasCall: boolean): Promise<Message> {
  const last = messages.at(-1);
  if (last?.role === "tool") expectShown(last.content);
  if (!hasCall || last?.role === "tool") return Promise.resolve({ role: "assistant", content: lastWords });
  const call = { id: `call_${index}`, type: "function", function: { name: toolName, arguments: argumentsText(index) } };
  return Promise.resolve({ role: "assistant", content: null, tool_calls: [call] });
}

const path = process.argv[2];
const called = standardTool(path === undefined ? "read" : "irreversible", runTool);
const box = await createSignalbox({
  ...standardOptions(called),
  tools: [called],
  ...(path !== undefined && { store: `sqlite:${path}`, keys: `${path}.keys` }),
});
const session = await box.session(caller);

serveTurns(async (index, hasCall) => {
  const messages: Message[] = [{ role: "user", content: question }];
  const turn = session.turn();
  for (;;) {
    const message = await model(messages, session.tools("openai-chat"), index, hasCall);
    messages.push(message);
    const answers = await turn.answer("openai-chat", message);
    if (answers.length === 0) return String(message.content);
    messages.push(...(answers as unknown as Message[]));
  }
});
