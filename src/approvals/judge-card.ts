import { canonicalJson } from "../base/canonical-json.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Limits } from "../base/limits.ts";
import type { Approval, ApprovalOrigin } from "../domain/approval.ts";
import type { ApprovalCard, CardAddress, CardArgument } from "../domain/approval-card.ts";
import type { JsonObject } from "../domain/json.ts";
import type { ArgumentRole, Tier, Tool } from "../domain/tool.ts";
import { leavesOf, roleOrder, type Leaf } from "./card.ts";
import { originOf, type Seen } from "./origins.ts";
import { cutVisible, visible } from "./visible.ts";

/** What single arguments are judged by. */
export interface ArgumentParts {
  readonly args: JsonObject;
  readonly roles: Tool["argumentRoles"];
  /** What the trace found. */
  readonly origins: readonly ApprovalOrigin[] | undefined;
  /** What the conversation held before. */
  readonly seen: Seen;
  /** Addresses, links and accounts in a text, in the order in which the trace numbers them. */
  readonly addressesIn: (text: string) => readonly string[];
  readonly limits: Pick<Limits, "cardArgumentsMax" | "cardAddressesMax" | "cardValueCharsMax" | "cardQuoteCharsMax">;
}

/** What a card is made from. */
export interface CardParts extends Pick<ArgumentParts, "seen" | "addressesIn"> {
  readonly approval: Approval;
  /** The definition that is registered now; undefined where the tool is gone. */
  readonly tool: Pick<Tool, "argumentRoles" | "tier" | "fingerprint"> | undefined;
  /** The arguments that would run; undefined once the call has settled, or where they were erased. */
  readonly args: JsonObject | undefined;
  /** The arguments as they were sent, where rules narrowed them. */
  readonly requested?: JsonObject | undefined;
  readonly said: string | undefined;
  readonly isAttested: boolean;
  readonly conversationId: string | undefined;
  readonly refusedAsksCount: number;
  /** Recipients who may not have what the call repeats. */
  readonly mayNotRead?: ApprovalCard["mayNotRead"];
  readonly limits: Pick<Limits, "cardSaidCharsMax" | "cardArgumentsMax" | "cardAddressesMax" | "cardValueCharsMax" | "cardQuoteCharsMax">;
}

const steeringRoles: ReadonlySet<ArgumentRole> = new Set(["target", "ref", "amount", "date", "command"]);

/** The card of one approval. */
export function approvalCard(parts: CardParts): ApprovalCard {
  const { approval, tool, args, said, isAttested, conversationId, limits } = parts;
  const judged = judgeArguments({ ...parts, args: args ?? {}, roles: tool?.argumentRoles ?? {}, origins: approval.origins });
  return {
    headline: approval.summary,
    user: visible(approval.principal.user),
    roles: approval.principal.roles.map(visible),
    agent: visible(approval.callerCredentialId),
    conversationId: conversationId === undefined ? undefined : cutVisible(conversationId, fixedBounds.shownNameCharsMax).text,
    said: said === undefined ? undefined : { text: cutVisible(said, limits.cardSaidCharsMax).text, chars: said.length, isAttested },
    asked: approval.asked,
    ...judged,
    ...(parts.mayNotRead !== undefined && {
      mayNotRead: parts.mayNotRead.map(({ who, isKnown }) => ({ who: cutVisible(who, limits.cardValueCharsMax).text, isKnown })),
    }),
    ...narrowedOf(parts),
    tier: tool?.tier,
    reasons: approval.reasons
      .filter(({ effect }) => effect === "ask" || effect === "modify")
      .map((reason) => ({ ...reason, rule: visible(reason.rule), reason: cutVisible(reason.reason, fixedBounds.reasonCharsMax).text })),
    undo: tool === undefined ? "unknown: the tool is no longer registered" : undoWords[tool.tier],
    isToolChanged: tool?.fingerprint !== approval.toolFingerprint,
    expiresAtMs: approval.expiresAtMs,
    refusedAsksCount: parts.refusedAsksCount,
  };
}

/** What was sent, whole arguments at a time: of a list also the items that are gone. */
function narrowedOf({ args, requested, limits }: CardParts): Pick<ApprovalCard, "narrowed"> {
  if (args === undefined || requested === undefined) return {};
  const names = [...new Set([...Object.keys(requested), ...Object.keys(args)])];
  const changed = names.filter((name) => canonicalJson(requested[name] ?? null) !== canonicalJson(args[name] ?? null));
  const wasOf = (name: string): string =>
    Object.hasOwn(requested, name) ? cutVisible(JSON.stringify(requested[name]), limits.cardValueCharsMax).text : "left out";
  return { narrowed: changed.map((name) => ({ name: cutVisible(name, fixedBounds.shownNameCharsMax).text, was: wasOf(name) })) };
}

/** The arguments one by one, the most consequential first, with where each came from. */
export function judgeArguments(parts: ArgumentParts): Pick<ApprovalCard, "notSaid" | "arguments" | "argumentsLeftOutCount"> {
  const leaves = Object.keys(parts.args).length === 0 ? [] : leavesOf(parts.args, parts.roles, true);
  const ordered = leaves.toSorted((left, right) => roleOrder.indexOf(left.role) - roleOrder.indexOf(right.role));
  const all = ordered.map((leaf) => cardArgument(leaf, parts));
  const { cardArgumentsMax } = parts.limits;
  return {
    // Of everything, also what does not fit on the card: an argument nobody asked for must not hide behind many.
    notSaid: all.filter(isNotSaid).map(({ name }) => name),
    arguments: all.slice(0, cardArgumentsMax),
    argumentsLeftOutCount: Math.max(0, all.length - cardArgumentsMax),
  };
}

/** Whether a call of a tier can be taken back, in words. */
export const undoWords: Readonly<Record<Tier, string>> = {
  read: "nothing is changed",
  reversible: "it can be taken back: the tool is declared reversible",
  irreversible: "none: once it ran, it cannot be taken back",
  privileged: "none that is known: the tool is declared privileged",
};

function isNotSaid({ origin, carries }: CardArgument): boolean {
  return (
    (origin !== undefined && origin.kind !== "user" && origin.kind !== "plan") ||
    carries?.some((address) => address.origin.kind !== "user") === true
  );
}

function cardArgument(leaf: Leaf, parts: ArgumentParts): CardArgument {
  const { seen, limits, origins } = parts;
  const { pointer, role, value } = leaf;
  const name = cutVisible(leaf.name, fixedBounds.shownNameCharsMax).text;
  if (role === "credential") return { pointer, name, role, value: "(a credential, not shown)", chars: 0, isCut: true, origin: undefined };
  const text = typeof value === "string" ? value : JSON.stringify(value);
  // Quoted and escaped, so that no value can imitate what stands around it.
  const { text: shown, isCut } = cutVisible(typeof value === "string" ? JSON.stringify(value) : text, limits.cardValueCharsMax);
  const origin =
    isSteering(role, text) && (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
      ? originOf(value, seen, { quoteCharsMax: limits.cardQuoteCharsMax, traced: tracedAt(origins, pointer) })
      : undefined;
  const carries = typeof value === "string" && (role === "content" || role === undefined) ? addressesOf(pointer, value, parts) : [];
  return { pointer, name, role, value: shown, chars: text.length, isCut, origin, ...(carries.length > 0 && { carries }) };
}

/** What somebody could be made to write to, pay to or open; an argument that is nothing but one address is judged as a whole. */
function addressesOf(pointer: string, text: string, { addressesIn, origins, seen, limits }: ArgumentParts): readonly CardAddress[] {
  const found = new Map<string, CardAddress>();
  for (const [part, address] of addressesIn(text).entries()) {
    if (address === text.trim() || found.has(address)) continue;
    const origin = originOf(address, seen, { quoteCharsMax: limits.cardQuoteCharsMax, traced: tracedAt(origins, pointer, part) });
    found.set(address, { text: cutVisible(address, limits.cardValueCharsMax).text, origin });
  }
  const isSaid = ({ origin }: CardAddress): number => (origin.kind === "user" ? 1 : 0);
  return [...found.values()].toSorted((left, right) => isSaid(left) - isSaid(right)).slice(0, limits.cardAddressesMax);
}

function tracedAt(origins: ArgumentParts["origins"], pointer: string, part?: number): ApprovalOrigin | undefined {
  return origins?.find((each) => each.pointer === pointer && each.part === part);
}

function isSteering(role: ArgumentRole | undefined, text: string): boolean {
  return role === undefined ? text.length <= fixedBounds.steeringCharsMax && !text.includes("\n") : steeringRoles.has(role);
}
