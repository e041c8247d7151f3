import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { canonicalJson } from "../base/canonical-json.ts";
import { sha256Hex } from "../base/hash.ts";
import { defaultLimits } from "../base/limits.ts";
import type { Json } from "../domain/json.ts";
import { createMemoryStore } from "../store/memory.ts";
import { createKeyring, memoryKeyring, newKeySecrets } from "./keyring.ts";
import { manualClock, memoryBench, recordCall, recordCalls, seededRandom } from "./ledger.fixture.ts";
import {
  brokenCommitments,
  commit,
  encryptingVault,
  openVault,
  plainVault,
  type OpenedValues,
  type SealedEntry,
  type Vault,
} from "./vault.ts";
import { verifyLedger } from "./verify.ts";

const place = { tenant: "acme", kind: "call-settled", callId: "call-1" };

function vaults(): readonly (readonly [string, Vault])[] {
  const bench = memoryBench();
  return [
    ["encrypting", bench.vault],
    ["plain", plainVault({ store: bench.store, clock: bench.clock, random: bench.random })],
  ];
}

async function sealed(vault: Vault, values: Readonly<Record<string, Json>>, subject?: string) {
  await vault.prepare(place.tenant, subject);
  const texts = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, canonicalJson(value)]));
  return vault.sealValues({ ...place, ...(subject !== undefined && { subject }) }, texts);
}

describe("commit", () => {
  it("is the SHA-256 of salt and text side by side", () => {
    expect(commit("00", '{"a":1}')).toBe(sha256Hex('00{"a":1}'));
  });
});

describe.each(vaults())("the %s vault", (_name, vault) => {
  it("gives back every value it sealed, each fitting its commitment", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom("arguments", "result", "said", "ä", 'q"'), fc.jsonValue(), { maxKeys: 4, noNullPrototype: true }),
        async (values) => {
          const clean = JSON.parse(JSON.stringify(values)) as Record<string, Json>;
          const { sealed: bytes, commitments } = await sealed(vault, clean);
          const opened = (await vault.openValues({ ...place, sealed: bytes })) as OpenedValues;
          expect(Object.fromEntries(Object.entries(opened).map(([name, held]) => [name, held.value]))).toEqual(clean);
          expect(brokenCommitments(opened, commitments)).toEqual([]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("seals values larger than its kept memory", async () => {
    const large = "ä€😀".repeat(40_000);
    const { sealed: bytes, commitments } = await sealed(vault, { result: large });
    const opened = (await vault.openValues({ ...place, sealed: bytes })) as OpenedValues;
    expect(opened["result"]?.value).toBe(large);
    expect(brokenCommitments(opened, commitments)).toEqual([]);
  });

  it("commits to the same value differently each time", async () => {
    const first = await sealed(vault, { result: 1 });
    const second = await sealed(vault, { result: 1 });
    expect(first.commitments["result"]).not.toBe(second.commitments["result"]);
  });

  it("does not change what it sealed before when it seals again", async () => {
    const first = await sealed(vault, { result: "first" });
    await sealed(vault, { result: "second" });
    expect((await vault.openValues({ ...place, sealed: first.sealed }))?.["result"]?.value).toBe("first");
  });

  it("gives nothing out after the tenant was erased, and goes on for new values and other tenants", async () => {
    const old = await sealed(vault, { result: 1 });
    await vault.prepare("other");
    const others = vault.sealValues({ ...place, tenant: "other" }, { result: "2" });
    expect((await vault.eraseTenant({ tenant: "acme", by: "ops" })).keyIds).toContain(old.keyId);
    expect(await vault.openValues({ ...place, sealed: old.sealed })).toBeUndefined();
    expect((await vault.openValues({ ...place, tenant: "other", sealed: others.sealed }))?.["result"]?.value).toBe(2);
    const fresh = await sealed(vault, { result: 3 });
    expect((await vault.openValues({ ...place, sealed: fresh.sealed }))?.["result"]?.value).toBe(3);
  });

  it(verifies("SAFE-13", "erases one person and nobody else, and a person with their tenant"), async () => {
    const ada = await sealed(vault, { result: "ada" }, "ada");
    const bob = await sealed(vault, { result: "bob" }, "bob");
    await vault.eraseSubject({ tenant: "acme", subject: "ada", by: "ops" });
    expect(await vault.openValues({ ...place, sealed: ada.sealed })).toBeUndefined();
    expect((await vault.openValues({ ...place, sealed: bob.sealed }))?.["result"]?.value).toBe("bob");
    await vault.eraseTenant({ tenant: "acme", by: "ops" });
    expect(await vault.openValues({ ...place, sealed: bob.sealed })).toBeUndefined();
  });
});

describe("the encrypting vault", () => {
  it("opens an envelope at no other tenant, call or kind, and with no byte changed", async () => {
    const { vault } = memoryBench();
    const { sealed: bytes } = await sealed(vault, { result: "secret" });
    await vault.prepare("other");
    const elsewhere: readonly SealedEntry[] = [
      { ...place, kind: "call-intended", sealed: bytes },
      { ...place, callId: "call-2", sealed: bytes },
    ];
    for (const entry of elsewhere) await expect(vault.openValues(entry)).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    expect(await vault.openValues({ ...place, tenant: "other", sealed: bytes })).toBeUndefined();
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (index, change) => {
        const altered = Uint8Array.from(bytes);
        altered[index] = (altered[index] as number) ^ change;
        // A changed key id names a key that does not exist; everything else fails to authenticate.
        const opened = await vault.openValues({ ...place, sealed: altered }).catch(() => undefined);
        expect(opened).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  it("never uses a nonce twice under one key, also across processes", async () => {
    const { store, keyring, clock, limits } = memoryBench();
    const nonces = new Set<string>();
    for (const seed of ["first process", "second process"]) {
      const vault = encryptingVault({ store, keyring, clock, limits, random: seededRandom(seed) });
      for (let index = 0; index < 300; index += 1) {
        if (index === 150) clock.advance(limits.dataKeyCacheMs);
        const { sealed: bytes } = await sealed(vault, { result: index });
        nonces.add(Buffer.from(bytes.subarray(9, 21)).toString("hex"));
      }
    }
    expect(nonces.size).toBe(600);
  });

  it("keeps nothing readable in the store", async () => {
    const { vault, store } = memoryBench();
    const { sealed: bytes } = await sealed(vault, { result: "a very private thing" });
    expect(Buffer.from(bytes).includes("very private")).toBe(false);
    const rows = await store.scan({ space: "tenant-key", tenant: "acme", limit: 10 });
    expect(rows).toHaveLength(2);
    expect(JSON.stringify(rows.map(({ body }) => body))).not.toContain("very private");
  });

  it("refuses to seal before its key is ready", () => {
    const { vault } = memoryBench();
    expect(() => vault.sealValues(place, { result: "1" })).toThrow(expect.objectContaining({ code: "LEDGER_UNAVAILABLE" }));
  });

  it("does not wait when the key is ready, and looks again when it has aged", async () => {
    const { vault, clock, limits } = memoryBench();
    expect(vault.prepare("acme")).toBeInstanceOf(Promise);
    await vault.prepare("acme");
    expect(vault.prepare("acme")).toBeUndefined();
    clock.advance(limits.dataKeyCacheMs);
    expect(vault.prepare("acme")).toBeInstanceOf(Promise);
  });

  it("agrees on one key when several processes meet a tenant at once", async () => {
    const { store, keyring, clock, limits } = memoryBench();
    const several = ["a", "b", "c"].map((seed) => encryptingVault({ store, keyring, clock, limits, random: seededRandom(seed) }));
    await Promise.all(several.map(async (vault) => vault.prepare("acme")));
    expect(new Set(several.map((vault) => vault.sealValues(place, { result: "1" }).keyId)).size).toBe(1);
  });

  it("stops giving out another process's values at the latest when its cached key has aged", async () => {
    const { store, keyring, clock, limits, vault } = memoryBench();
    const other = encryptingVault({ store, keyring, clock, limits, random: seededRandom("other") });
    const { sealed: bytes } = await sealed(vault, { result: 1 });
    expect(await other.openValues({ ...place, sealed: bytes })).toBeDefined();
    await vault.eraseTenant({ tenant: "acme", by: "ops" });
    clock.advance(limits.dataKeyCacheMs);
    expect(await other.openValues({ ...place, sealed: bytes })).toBeUndefined();
  });

  it(verifies("SAFE-13", "opens old values after the installation's key was rotated, and moves their key under the new one"), async () => {
    const clock = manualClock();
    const store = createMemoryStore({ clock });
    const random = seededRandom("rotation");
    const [first, second] = [newKeySecrets(random), newKeySecrets(random)];
    const parts = { store, clock, random, limits: defaultLimits };
    const before = encryptingVault({ ...parts, keyring: createKeyring([first], random) });
    const { sealed: bytes } = await sealed(before, { result: "kept" });
    const during = encryptingVault({ ...parts, keyring: createKeyring([second, first], random) });
    expect((await during.openValues({ ...place, sealed: bytes }))?.["result"]?.value).toBe("kept");
    const strangers = encryptingVault({ ...parts, keyring: createKeyring([second], random) });
    await expect(strangers.openValues({ ...place, sealed: bytes })).rejects.toMatchObject({ code: "LEDGER_UNAVAILABLE" });
    await during.prepare("acme");
    const after = encryptingVault({ ...parts, keyring: createKeyring([second], random) });
    expect((await after.openValues({ ...place, sealed: bytes }))?.["result"]?.value).toBe("kept");
  });

  it("leaves the chain whole when it erases, and records what was destroyed without naming the person", async () => {
    const bench = memoryBench();
    await recordCalls(bench, 4);
    await bench.vault.prepare("acme", "ada@example.com");
    await bench.vault.eraseSubject({ tenant: "acme", subject: "ada@example.com", by: "ops" });
    await bench.vault.eraseTenant({ tenant: "acme", by: "ops" });
    await recordCall(bench, "call-after");
    const found = await verifyLedger(bench.store, { publicKeys: bench.keyring.publicKeys, vault: bench.vault });
    expect(found).toMatchObject({ ok: true, entries: 12 });
    const records = await bench.store.entries({ kind: "key-destroyed", limit: 10 });
    expect(records).toHaveLength(2);
    expect(records.map(({ text }) => text).join(" ")).not.toContain("ada");
  });

  it("records an erasure of somebody who has no key", async () => {
    const { vault, store } = memoryBench();
    expect(await vault.eraseTenant({ tenant: "nobody", by: "ops" })).toEqual({ keyIds: [] });
    expect(await store.entries({ kind: "key-destroyed", limit: 10 })).toHaveLength(1);
  });
});

describe("the plain vault", () => {
  it("writes canonical JSON after its header, whatever the order of the names", async () => {
    const bench = memoryBench();
    const vault = plainVault(bench);
    const { sealed: bytes } = vault.sealValues(place, { said: '"z"', arguments: '{"a":1}', result: undefined });
    const opened = await vault.openValues({ ...place, sealed: bytes });
    expect(Buffer.from(bytes).toString("utf8", 17)).toBe(canonicalJson(opened));
    expect(Object.keys(opened ?? {})).toEqual(["arguments", "said"]);
  });
});

describe("openVault", () => {
  it("encrypts where something outlives the process and not where nothing does", async () => {
    const bench = memoryBench();
    const parts = { ...bench, keyring: memoryKeyring(bench.random) };
    expect((await sealed(openVault(parts), { result: 1 })).algorithm).toBe("plain");
    expect((await sealed(openVault({ ...parts, store: { ...bench.store, survivesRestart: true } }), { result: 1 })).algorithm).toBe(
      "aes-256-gcm",
    );
  });
});
