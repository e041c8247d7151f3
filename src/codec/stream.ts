/**
 * Puts a streamed response together. Each assembler takes the provider's parsed events in order and ends in what `decode` would have made of the whole
 * response. A call whose pieces did not all arrive is there too, as a refused one, so that it can be answered and is never run on half its arguments.
 */
import type { Limits } from "../base/limits.ts";
import type { Decoded, Stop } from "./form-codec.ts";
import { anthropicCall, anthropicStop } from "./anthropic.ts";
import { readGemini } from "./gemini.ts";
import type { NameMap } from "./names.ts";
import { chatCall, chatStop } from "./openai-chat.ts";
import { responsesCall, responsesStop } from "./openai-responses.ts";
import { isObject, toDecoded, type RawCall, type Reading, type Unknowns } from "./reading.ts";

/** The forms that stream. */
export type StreamForm = "openai-chat" | "openai-responses" | "anthropic" | "gemini";

/** Collects the events of one response. */
export interface StreamAssembler {
  /** Takes the next event, already parsed. What it does not know it passes over; never throws. */
  push(event: unknown): void;
  /** The response as far as it arrived. `stop` is `truncated` where the stream ended before its own end. */
  finish(): Decoded;
}

/** Starts to assemble one response. What it keeps is bounded by `turnCallsMax` calls of `argumentsBytesMax` characters each. */
export function createStreamAssembler(form: StreamForm, names: NameMap, limits: Limits): StreamAssembler {
  const read = readers[form](limits);
  return { push: (event) => (isObject(event) ? read.push(event) : undefined), finish: () => toDecoded(read.finish(), names, limits) };
}

interface StreamReader {
  push(event: Unknowns): void;
  finish(): Reading;
}

const readers: Readonly<Record<StreamForm, (limits: Limits) => StreamReader>> = {
  "openai-chat": chatReader,
  "openai-responses": responsesReader,
  anthropic: anthropicReader,
  gemini: geminiReader,
};

/** One call under assembly. */
interface Draft {
  item: Unknowns;
  id: unknown;
  name: unknown;
  text: string;
  isCustom: boolean;
  isDone: boolean;
}

interface Drafts {
  readonly byIndex: Map<unknown, Draft>;
  at(index: unknown): Draft | undefined;
  append(draft: Draft, piece: unknown): void;
}

function createDrafts(limits: Limits): Drafts {
  const byIndex = new Map<unknown, Draft>();
  return {
    byIndex,
    at(index) {
      const draft = byIndex.get(index);
      if (draft !== undefined) return draft;
      // One more than is allowed, so that the surplus shows and is refused.
      if (byIndex.size > limits.turnCallsMax) return undefined;
      const started: Draft = { item: {}, id: undefined, name: undefined, text: "", isCustom: false, isDone: false };
      byIndex.set(index, started);
      return started;
    },
    append(draft, piece) {
      // One piece over the bound stays, so that the parser sees that it is too large.
      if (typeof piece === "string" && draft.text.length <= limits.argumentsBytesMax)
        draft.text += piece.slice(0, limits.argumentsBytesMax + 1);
    },
  };
}

const endedEarly = "the stream ended before its last event";

// A reading of a stream: without its own end it is truncated, whatever had arrived.
function readingOf(items: readonly RawCall[], stop: Stop, isEnded: boolean): Reading {
  if (!isEnded) return { items, stop: "truncated", problems: [endedEarly], isLastItemLast: true };
  return { items, stop, problems: [], isLastItemLast: true };
}

function chatReader(limits: Limits): StreamReader {
  const drafts = createDrafts(limits);
  let finish: unknown;
  let hasRefusal = false;
  return {
    push(event) {
      const choices: unknown = event["choices"];
      const choice: unknown = Array.isArray(choices)
        ? choices.find((each: unknown) => isObject(each) && (each["index"] ?? 0) === 0)
        : undefined;
      if (!isObject(choice)) return;
      if (choice["finish_reason"] !== null && choice["finish_reason"] !== undefined) finish = choice["finish_reason"];
      const { delta } = choice;
      if (!isObject(delta)) return;
      if (typeof delta["refusal"] === "string" && delta["refusal"] !== "") hasRefusal = true;
      const deltas: unknown = delta["tool_calls"];
      if (!Array.isArray(deltas)) return;
      for (const [position, each] of deltas.entries()) if (isObject(each)) takeChatDelta(drafts, each, position);
    },
    finish() {
      // Deltas of several calls may be mixed, so in a response without a proper end no call is whole but by its own text.
      const isIncomplete = finish === undefined || finish === "length";
      const items = [...drafts.byIndex.values()].map((draft) => ({ ...chatCall(draft), isIncomplete }));
      const isRefused = hasRefusal && items.length === 0;
      return readingOf(items, isRefused ? "refused" : chatStop(finish, items.length), finish !== undefined);
    },
  };
}

// Only the first delta of a call names it; some servers leave out the index when there is one call.
function takeChatDelta(drafts: Drafts, delta: Unknowns, position: number): void {
  const draft = drafts.at(typeof delta["index"] === "number" ? delta["index"] : position);
  if (draft === undefined) return;
  if (typeof delta["id"] === "string" && delta["id"] !== "") draft.id = delta["id"];
  if (delta["type"] === "custom" || isObject(delta["custom"])) draft.isCustom = true;
  const body = delta["custom"] ?? delta["function"];
  if (!isObject(body)) return;
  if (typeof body["name"] === "string" && body["name"] !== "") draft.name = body["name"];
  drafts.append(draft, draft.isCustom ? body["input"] : body["arguments"]);
  if (draft.item["thought_signature"] === undefined) draft.item = { ...draft.item, ...delta };
}

function responsesReader(limits: Limits): StreamReader {
  const drafts = createDrafts(limits);
  let response: Unknowns | undefined;
  let hasRefusal = false;
  return {
    push(event) {
      const { type } = event;
      if (type === "response.completed" || type === "response.incomplete" || type === "response.failed") {
        if (isObject(event["response"])) response = event["response"];
      } else if (type === "response.refusal.delta" || type === "response.refusal.done") hasRefusal = true;
      else takeResponsesEvent(drafts, event);
    },
    finish() {
      const items = [...drafts.byIndex.values()].map((draft) => {
        const text = draft.isCustom ? { input: draft.text } : { arguments: draft.text };
        return responsesCall({ ...draft.item, ...text, status: draft.isDone ? draft.item["status"] : "incomplete" });
      });
      const isRefused = hasRefusal && items.length === 0;
      return {
        ...readingOf(items, isRefused ? "refused" : responsesStop(response, items.length), response !== undefined),
        isLastItemLast: false,
      };
    },
  };
}

function takeResponsesEvent(drafts: Drafts, event: Unknowns): void {
  const { type, item } = event;
  if (type === "response.output_item.added" || type === "response.output_item.done") {
    if (!isObject(item) || (item["type"] !== "function_call" && item["type"] !== "custom_tool_call")) return;
    const draft = drafts.at(event["output_index"]);
    if (draft === undefined) return;
    draft.item = item;
    draft.isCustom = item["type"] === "custom_tool_call";
    const whole = draft.isCustom ? item["input"] : item["arguments"];
    if (type === "response.output_item.done") {
      draft.isDone = true;
      if (typeof whole === "string") replaceText(drafts, draft, whole);
    }
    return;
  }
  const isCall = typeof type === "string" && /^response\.(?:function_call_arguments|custom_tool_call_input)\./.test(type);
  const draft = isCall ? drafts.byIndex.get(event["output_index"]) : undefined;
  if (draft === undefined) return;
  if ((type as string).endsWith(".delta")) drafts.append(draft, event["delta"]);
  else {
    const whole = draft.isCustom ? event["input"] : event["arguments"];
    if (typeof whole !== "string") return;
    replaceText(drafts, draft, whole);
    draft.isDone = true;
  }
}

function replaceText(drafts: Drafts, draft: Draft, whole: string): void {
  draft.text = "";
  drafts.append(draft, whole);
}

function anthropicReader(limits: Limits): StreamReader {
  const drafts = createDrafts(limits);
  let reason: unknown;
  let isEnded = false;
  return {
    push(event) {
      const { type, delta, index } = event;
      if (type === "message_stop") isEnded = true;
      else if (type === "message_delta" && isObject(delta)) reason = delta["stop_reason"] ?? reason;
      else if (type === "content_block_start") {
        const block = event["content_block"];
        const draft = isObject(block) && block["type"] === "tool_use" ? drafts.at(index) : undefined;
        if (draft !== undefined) draft.item = block as Unknowns;
      } else if (type === "content_block_delta" && isObject(delta) && delta["type"] === "input_json_delta") {
        const draft = drafts.byIndex.get(index);
        if (draft !== undefined) drafts.append(draft, delta["partial_json"]);
      } else if (type === "content_block_stop") {
        const draft = drafts.byIndex.get(index);
        if (draft !== undefined) draft.isDone = true;
      }
    },
    finish() {
      const items = [...drafts.byIndex.values()].map((draft) => anthropicCall(draft.item, anthropicSource(draft), !draft.isDone));
      return readingOf(items, anthropicStop(reason, items.length), isEnded || (reason !== undefined && reason !== null));
    },
  };
}

// A block without deltas carries its input, usually `{}`, in its start.
function anthropicSource(draft: Draft): RawCall["source"] {
  const { input } = draft.item;
  const hasInput = isObject(input) && Object.keys(input).length > 0;
  return draft.text === "" && hasInput ? { kind: "object", value: input } : { kind: "text", text: draft.text };
}

function geminiReader(limits: Limits): StreamReader {
  const items: RawCall[] = [];
  const problems: string[] = [];
  let last: Reading | undefined;
  let isEnded = false;
  return {
    push(event) {
      const { candidates, promptFeedback } = event;
      const candidate: unknown = Array.isArray(candidates) ? candidates[0] : undefined;
      // Chunks with nothing but usage end many streams.
      if (!isObject(candidate) && promptFeedback === undefined) return;
      const content = isObject(candidate) ? candidate["content"] : undefined;
      if (isObject(content) && content["parts"] !== undefined && !Array.isArray(content["parts"])) return;
      if (!isObject(candidate) && !(isObject(promptFeedback) && promptFeedback["blockReason"] !== undefined)) return;
      const reading = readGemini(event);
      const room = Math.max(0, limits.turnCallsMax + 1 - items.length);
      items.push(...reading.items.slice(0, room));
      if (problems.length < limits.turnCallsMax) problems.push(...reading.problems);
      if (last === undefined || reading.items.length > 0 || reading.stop !== "end") last = reading;
      if (reading.stop === "refused" || (isObject(candidate) && typeof candidate["finishReason"] === "string")) isEnded = true;
    },
    finish() {
      const stop: Stop =
        last === undefined || last.stop === "end" || last.stop === "tool-calls" ? (items.length > 0 ? "tool-calls" : "end") : last.stop;
      const reading = readingOf(items, stop, isEnded);
      return { ...reading, problems: [...problems, ...reading.problems], isLastItemLast: stop === "truncated" };
    },
  };
}
