import { appendFile, readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { tool } from "../../src/index.ts";

/** Where parcels are noted: the outside world of this example. It keeps a list of keys, and sends no parcel twice for one. */
const book = process.env["PARCEL_BOOK"] ?? "parcels.txt";

/** Sending takes a while, so that a gateway can be killed in the middle of it. */
export const send = tool({
  name: "parcel.send",
  tier: "irreversible",
  idempotency: "key",
  description: "Send a parcel to a customer. Not for letters.",
  input: {
    type: "object",
    properties: { to: { type: "string", description: "Name of the customer" } },
    required: ["to"],
    additionalProperties: false,
  },
  run: async ({ to }, { key }) => {
    const sent = await readFile(book, "utf8").catch(() => "");
    if (!sent.includes(key)) await appendFile(book, `${key} to ${JSON.stringify(to)} by process ${process.pid}\n`);
    await pause(1_000);
    return { sentTo: to ?? null };
  },
});
