import { z } from "zod";
import type { Json } from "../../src/domain/json.ts";
import type { RegisteredTool } from "../../src/domain/tool.ts";
import { tool } from "../../src/registry/define.ts";
import { ToolFailure } from "../../src/resilience/tool-failure.ts";

/** What the tools return, and how many calls that an attacker wants were made. */
export interface World {
  inbox: Json;
  customers: Json;
  words: string;
  done: number;
}

/** The tools of the attacked installation. */
export function toolsOver(world: World): readonly RegisteredTool[] {
  return [...readers(world), ...actors(world)];
}

function readers(world: World): readonly RegisteredTool[] {
  const records = new Map<string, Json>();
  const nothing = z.object({});
  const text = z.string();
  return [
    tool({ name: "inbox.read", tier: "read", description: "Read the inbox.", input: nothing, run: () => ({ letters: world.inbox }) }),
    tool({
      name: "inbox.broken",
      tier: "read",
      description: "Read a folder.",
      input: nothing,
      retry: { attempts: 1 },
      run: () => {
        throw new ToolFailure({ kind: "rejected", message: world.words });
      },
    }),
    tool({
      name: "customers.read",
      tier: "read",
      description: "Read customer records.",
      input: nothing,
      outputLabels: { "": { integrity: "trusted", confidentiality: "confidential", categories: ["health"] } },
      run: () => ({ customers: world.customers }),
    }),
    tool({
      name: "records.put",
      tier: "reversible",
      isRepeatable: true,
      description: "Write a record.",
      input: z.object({ id: text, text }),
      arguments: { id: "ref", text: "content" },
      asks: ["\\bwrite into\\b"],
      run: ({ id, text: written }) => {
        records.set(id, written);
        return "written";
      },
    }),
    tool({
      name: "records.get",
      tier: "read",
      description: "Read a record.",
      input: z.object({ id: text }),
      outputLabels: { "": { integrity: "trusted" } },
      run: ({ id }) => ({ text: records.get(id) ?? null }),
    }),
    tool({
      name: "bank.account",
      tier: "read",
      description: "Read an account.",
      input: z.object({ account: text }),
      run: ({ account }) => ({ owner: account === "OWN-1" ? "ada" : "bob", balance: 1_000 }),
    }),
  ];
}

function actors(world: World): readonly RegisteredTool[] {
  const nothing = z.object({});
  const text = z.string();
  const act = (): string => {
    world.done += 1;
    return "done";
  };
  return [
    tool({
      name: "mail.send",
      tier: "reversible",
      isEgress: true,
      isRepeatable: true,
      description: "Send a letter.",
      input: z.object({ to: text, subject: text.optional(), body: text.optional(), attachmentName: text.optional() }),
      arguments: { to: "target", subject: "content", body: "content", attachmentName: "content" },
      run: act,
    }),
    tool({
      name: "bank.pay",
      tier: "irreversible",
      description: "Pay money to an account.",
      input: z.object({ to: text, amount: z.number().positive(), memo: text.optional() }),
      arguments: { to: "target", amount: "amount", memo: "content" },
      asks: ["\\b(pay|transfer)\\b"],
      run: act,
    }),
    tool({
      name: "bank.transfer",
      tier: "irreversible",
      description: "Transfer money from an account.",
      input: z.object({ from: text, to: text, amount: z.number().positive() }),
      arguments: { from: "ref", to: "target", amount: "amount" },
      asks: ["\\b(pay|transfer)\\b"],
      run: act,
    }),
    tool({
      name: "bank.reset",
      tier: "privileged",
      description: "Reset the ledger of the bank.",
      input: nothing,
      run: act,
    }),
    tool({
      name: "web.get",
      tier: "read",
      isEgress: true,
      description: "Open a web page.",
      input: z.object({ url: text }),
      arguments: { url: "target" },
      asks: ["\\b(open|read|visit)\\b"],
      run: act,
    }),
    tool({
      name: "files.upload",
      tier: "reversible",
      isEgress: true,
      isRepeatable: true,
      description: "Upload a file to a share.",
      input: z.object({ name: text, share: text }),
      arguments: { name: "content", share: "target" },
      run: act,
    }),
    tool({ name: "door.unlock", tier: "irreversible", description: "Unlock the front door.", input: nothing, run: act }),
  ];
}
