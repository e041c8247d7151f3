/**
 * Who the recipients of a call are, by the directory that the policy names: one look-up for each, a call of its own like that of a fact. Whoever is not
 * found has no names and may read nothing that is meant for certain readers; where the directory does not answer, nobody may.
 */
import type { Json, JsonObject } from "../domain/json.ts";
import { valueAt } from "../domain/json-pointer.ts";
import { recipientsOf, readerNames, type KnownRecipient, type Recipient, type Recipients } from "../flow/recipients.ts";
import type { DirectorySpec } from "../policy/document.ts";
import { lookUp } from "./fact-look-ups.ts";
import type { CallState } from "./runtime.ts";

/** What was found, and which earlier look-ups answered. */
export interface AskedDirectory {
  readonly recipients: Recipients;
  readonly from: Readonly<Record<string, string>>;
}

/** Looks up everybody whom a call sends to, all at once. */
export async function askDirectory(state: CallState, directory: DirectorySpec): Promise<AskedDirectory> {
  const { registered, args, runtime } = state;
  const { tool } = registered as NonNullable<typeof registered>;
  const named = recipientsOf(tool, args, runtime.limits.flowRecipientsMax);
  if (named.kind === "untold") return { recipients: named, from: {} };
  const found = await Promise.all(named.recipients.map((recipient) => personOf(state, directory, recipient)));
  const from = Object.fromEntries(found.flatMap(({ name, callId }) => (callId === undefined ? [] : [[name, callId]])));
  const people = found.flatMap(({ person }) => (person === undefined ? [] : [person]));
  if (people.length < found.length) return { recipients: { kind: "untold", why: "the directory did not answer who reads it" }, from };
  return { recipients: { kind: "known", people }, from };
}

interface FoundPerson {
  readonly name: string;
  /** Undefined where nobody could say. */
  readonly person: KnownRecipient | undefined;
  readonly callId: string | undefined;
}

async function personOf(state: CallState, directory: DirectorySpec, recipient: Recipient): Promise<FoundPerson> {
  const { tool, argument, cacheMs } = directory;
  const name = `directory:${recipient.pointer}#${recipient.part}`;
  const request = { name, tool, arguments: { [argument]: recipient.text }, ...(cacheMs !== undefined && { cacheMs }) };
  const { value, callId } = await lookUp(state, request);
  return { name, callId, person: value === undefined ? undefined : { ...recipient, names: namesIn(value, directory, recipient.text) } };
}

/** What a person is called; undefined where the answer is about nobody, or about somebody else than was asked for. */
function namesIn(answer: Json, directory: DirectorySpec, asked: string): ReadonlySet<string> | undefined {
  const user = valueAt(answer, directory.user);
  if ((typeof user !== "string" && typeof user !== "number") || user === "") return undefined;
  // A directory that gives whoever is nearest must not make an insider of a stranger.
  if (!holds(answer, asked.toLowerCase())) return undefined;
  return readerNames({ user: String(user), groups: textsAt(answer, directory.groups), roles: textsAt(answer, directory.roles) });
}

function textsAt(answer: Json, pointer: string | undefined): readonly string[] {
  const value = pointer === undefined ? undefined : valueAt(answer, pointer);
  return (Array.isArray(value) ? (value as readonly Json[]) : [value]).filter((each) => typeof each === "string");
}

/** Whether a value somewhere in an answer is what was asked for, without regard to case. */
function holds(value: Json, asked: string): boolean {
  if (typeof value === "string" || typeof value === "number") return String(value).toLowerCase() === asked;
  return typeof value === "object" && value !== null && Object.values(value as JsonObject).some((member) => holds(member, asked));
}
