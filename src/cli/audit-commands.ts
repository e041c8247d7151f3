import { fixedBounds } from "../base/fixed-bounds.ts";
import { isoTime } from "../base/clock.ts";
import { sha256Hex } from "../base/hash.ts";
import { defaultLimits } from "../base/limits.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { anchoredCheckpoints } from "../gateway/serve.ts";
import { exportLines } from "../ledger/export.ts";
import type { PublicKey } from "../ledger/keyring.ts";
import { makeCallReceipt, verifyReceipt } from "../ledger/receipt.ts";
import { trail } from "../ledger/trail.ts";
import { renderVerification } from "../ledger/verification.ts";
import { verifyLedger } from "../ledger/verify.ts";
import type { Store } from "../store/store.ts";
import { configFlag, type Command, type Invocation } from "./command.ts";
import { readJsonFile } from "./json-file.ts";
import { existingKeys, requireConfig } from "./installation.ts";
import { vaultOf, withLedger } from "./ledger-reader.ts";
import { paint, plain, show } from "./terminal.ts";

/** The tenant of a call; `NOT_FOUND` where the ledger does not know it. */
async function tenantOf(store: Store, callId: string): Promise<string> {
  const [entry] = await store.entries({ callId, limit: 1 });
  if (entry === undefined) throw toolCallError("NOT_FOUND", `the ledger has no entry of a call \`${plain(callId).slice(0, 80)}\``);
  return entry.tenant;
}

const verify: Command = {
  name: "audit verify",
  summary: "Recompute every hash, chain and signature of the ledger",
  flags: { ...configFlag, values: { about: "also open private values and hold them against their commitments" } },
  run: (invocation) =>
    withLedger(invocation, async (config, store) => {
      const keyring = await existingKeys(config, invocation);
      const anchors = await anchoredCheckpoints(config);
      const vault = invocation.switches["values"] === true ? await vaultOf(config, store, invocation) : undefined;
      const found = await verifyLedger(store, {
        publicKeys: keyring.publicKeys,
        anchors,
        limits: config.limits,
        ...(vault !== undefined && { vault }),
      });
      show(invocation, found, () => renderVerification(found));
      return found.ok ? "ok" : "unverified";
    }),
};

const trailCommand: Command = {
  name: "audit trail",
  summary: "Show every ledger entry of a call",
  takes: ["CALL"],
  flags: { ...configFlag, private: { about: "with private values, where their key still exists" } },
  run: (invocation) =>
    withLedger(invocation, async (config, store) => {
      const callId = invocation.positionals[0] as string;
      const items = await trail(store, await vaultOf(config, store, invocation), {
        tenant: await tenantOf(store, callId),
        callId,
        limit: fixedBounds.callEntriesMax,
      });
      const withPrivate = invocation.switches["private"] === true;
      const data = items.map(({ entry, body, private: values }) => ({
        seq: entry.seq,
        kind: entry.kind,
        at: isoTime(entry.atMs),
        body,
        ...(withPrivate && { private: values }),
      }));
      show(invocation, { callId, entries: data }, () =>
        data
          .map(
            ({ seq, kind, at, ...rest }) =>
              `${paint(invocation.terminal, "bold", kind)}  ${at}  entry ${seq}\n${JSON.stringify(rest, undefined, 2)}\n`,
          )
          .join("\n"),
      );
      return "ok";
    }),
};

const receipt: Command = {
  name: "audit receipt",
  summary: "Print the receipt of a call: proof that verifies without this installation",
  takes: ["CALL"],
  flags: configFlag,
  about: "Possible once a checkpoint covers the call: some seconds later, or after the gateway was stopped.",
  run: (invocation) =>
    withLedger(invocation, async (config, store) => {
      const callId = invocation.positionals[0] as string;
      const made = await makeCallReceipt({ store, limits: config.limits }, { tenant: await tenantOf(store, callId), callId });
      invocation.terminal.out(`${JSON.stringify(made, undefined, 2)}\n`);
      return "ok";
    }),
};

const verifyReceiptCommand: Command = {
  name: "audit verify-receipt",
  summary: "Check a receipt with public keys alone",
  takes: ["FILE"],
  flags: {
    ...configFlag,
    "public-key": { value: "KEY", isList: true, about: "a public key as `audit keys` prints it; default: the installation's own" },
  },
  async run(invocation) {
    const keys = await publicKeys(invocation);
    if (keys === undefined) return "config";
    const verdict = verifyReceipt(await readJsonFile(invocation, invocation.positionals[0] as string), keys);
    show(invocation, verdict, () =>
      verdict.kind === "invalid"
        ? `${paint(invocation.terminal, "red", "invalid")}: ${plain(verdict.reason)}\n`
        : `${paint(invocation.terminal, "green", "valid")}: signed ${isoTime(verdict.signedAtMs)} by checkpoint ${verdict.checkpoint}\n${JSON.stringify(verdict.entry, undefined, 2)}\n`,
    );
    return verdict.kind === "valid" ? "ok" : "unverified";
  },
};

async function publicKeys(invocation: Invocation): Promise<readonly PublicKey[] | undefined> {
  const given = invocation.lists["public-key"];
  if (given !== undefined) return given.map(publicKey);
  const config = await requireConfig(invocation);
  return config === undefined ? undefined : (await existingKeys(config, invocation)).publicKeys;
}

// A key's id is made of the key itself, so it need not be given besides.
function publicKey(key: string): PublicKey {
  const raw = Buffer.from(key, "base64url");
  if (raw.length !== 32 || raw.toString("base64url") !== key)
    throw toolCallError("REQUEST_INVALID", "--public-key is not a key; give the 43 characters that `signalbox audit keys` prints");
  return { id: `ik_${sha256Hex(raw).slice(0, 32)}`, algorithm: "ed25519", key };
}

const keys: Command = {
  name: "audit keys",
  summary: "Print the installation's public keys, for whoever verifies receipts",
  flags: configFlag,
  async run(invocation) {
    const config = await requireConfig(invocation);
    if (config === undefined) return "config";
    const ring = await existingKeys(config, invocation);
    show(invocation, { keys: ring.publicKeys }, () =>
      ring.publicKeys.map((key) => `${key.id}  ${key.key}${key.id === ring.currentId ? "  (current)" : ""}\n`).join(""),
    );
    return "ok";
  },
};

const exportCommand: Command = {
  name: "audit export",
  summary: "Print the ledger as JSON lines",
  flags: {
    ...configFlag,
    private: { about: "with private values, where their key still exists" },
    tenant: { value: "TENANT", about: "only of this tenant" },
  },
  run: (invocation) =>
    withLedger(invocation, async (config, store) => {
      const vault = invocation.switches["private"] === true ? await vaultOf(config, store, invocation) : undefined;
      const { tenant } = invocation.texts;
      for await (const line of exportLines({
        store,
        limits: defaultLimits,
        ...(vault !== undefined && { vault }),
        ...(tenant !== undefined && { tenant }),
      }))
        invocation.terminal.out(line);
      return "ok";
    }),
};

/** Commands that read the ledger. */
export const auditCommands: readonly Command[] = [verify, trailCommand, receipt, verifyReceiptCommand, keys, exportCommand];
