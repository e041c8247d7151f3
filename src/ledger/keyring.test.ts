import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { createPublicKey, verify } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openKeyFile, rotateKeyFile } from "./key-file.ts";
import { createKeyring, isSignedBy, keyringFromSecret, memoryKeyring, newKeySecrets } from "./keyring.ts";
import { manualClock, seededRandom, temporaryFolder } from "./ledger.fixture.ts";

describe("a keyring", () => {
  it("signs what anybody can check with the public key alone", () => {
    const keyring = memoryKeyring(seededRandom("a"));
    const signature = keyring.sign("a text");
    const publicKey = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: keyring.publicKeys[0]?.key ?? "" } });
    expect(verify(null, Buffer.from("a text"), publicKey, Buffer.from(signature.signature, "base64url"))).toBe(true);
    expect(isSignedBy(keyring.publicKeys, "a text", signature)).toBe(true);
    expect(isSignedBy(keyring.publicKeys, "another text", signature)).toBe(false);
    expect(isSignedBy(memoryKeyring(seededRandom("b")).publicKeys, "a text", signature)).toBe(false);
    expect(isSignedBy(keyring.publicKeys, "a text", { ...signature, signature: `${signature.signature}=` })).toBe(false);
  });

  it("opens a data key only at the place it was wrapped for, and only unaltered", () => {
    const keyring = memoryKeyring(seededRandom("a"));
    const wrapped = keyring.wrap(Buffer.alloc(32, 7), "here");
    expect(keyring.unwrap(wrapped, "here")).toEqual(Buffer.alloc(32, 7));
    expect(() => keyring.unwrap(wrapped, "there")).toThrow(expect.objectContaining({ code: "LEDGER_UNAVAILABLE" }));
    const altered = { ...wrapped, ciphertext: wrapped.ciphertext.replace(/^./, (first) => (first === "A" ? "B" : "A")) };
    expect(() => keyring.unwrap(altered, "here")).toThrow(expect.objectContaining({ code: "LEDGER_UNAVAILABLE" }));
  });

  it("goes on verifying and opening with old keys after a rotation, and uses the new one", () => {
    const random = seededRandom("a");
    const [first, second] = [newKeySecrets(random), newKeySecrets(random)];
    const before = createKeyring([first], random);
    const after = createKeyring([second, first], random);
    expect(after.currentId).not.toBe(before.currentId);
    expect(isSignedBy(after.publicKeys, "text", before.sign("text"))).toBe(true);
    expect(after.unwrap(before.wrap(Buffer.alloc(32, 1), "x"), "x")).toEqual(Buffer.alloc(32, 1));
    expect(after.sign("text").keyId).toBe(after.currentId);
  });

  it("is the same for the same secret, and refuses what is none without showing it", () => {
    const secret = "ab".repeat(32);
    const keyring = keyringFromSecret(secret, seededRandom("a"));
    expect(keyringFromSecret(secret.toUpperCase(), seededRandom("b")).currentId).toBe(keyring.currentId);
    const rotated = keyringFromSecret(`${"cd".repeat(32)}, ${secret}`, seededRandom("a"));
    expect(rotated.publicKeys.map(({ id }) => id)).toContain(keyring.currentId);
    expect(rotated.currentId).not.toBe(keyring.currentId);
    for (const bad of ["", "hunter2-hunter2", `${secret}0`]) {
      const attempt = (): unknown => keyringFromSecret(bad, seededRandom("a"));
      expect(attempt).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID", message: expect.not.stringContaining("hunter2") as string }),
      );
    }
  });
});

describe("a key file", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  beforeEach(() => void (folder = temporaryFolder()));
  afterEach(() => folder.remove());
  const parts = (seed: string) => ({ path: folder.path("keys.json"), clock: manualClock(), random: seededRandom(seed) });

  it("is made for its owner alone and gives the same keys again", async () => {
    const made = await openKeyFile(parts("a"));
    expect(statSync(folder.path("keys.json")).mode & 0o777).toBe(0o600);
    expect((await openKeyFile(parts("b"))).currentId).toBe(made.currentId);
    expect(readdirSync(folder.path(""))).toEqual(["keys.json"]);
  });

  it("says where it cannot be made", async () => {
    await expect(openKeyFile({ ...parts("a"), path: folder.path("absent/keys.json") })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/the key file `.*keys\.json` cannot be written; make its folder/) as string,
    });
  });

  it("is one for several processes that make it at once", async () => {
    const keyrings = await Promise.all(["a", "b", "c", "d"].map((seed) => openKeyFile(parts(seed))));
    expect(new Set(keyrings.map(({ currentId }) => currentId)).size).toBe(1);
    expect(readdirSync(folder.path(""))).toEqual(["keys.json"]);
  });

  it.runIf(process.platform !== "win32")("is refused when others may read it", async () => {
    await openKeyFile(parts("a"));
    chmodSync(folder.path("keys.json"), 0o640);
    await expect(openKeyFile(parts("a"))).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("can be read by others (mode 640); run `chmod 600") as string,
    });
  });

  it("is refused when it is not a key file, without quoting it", async () => {
    for (const text of [
      "hunter2",
      "{}",
      '{"version":1,"keys":[]}',
      '{"version":1,"keys":[{"master":1}]}',
      '{"version":1,"keys":[{"master":"aaaa","signingSeed":"aaaa"}]}',
    ]) {
      writeFileSync(folder.path("keys.json"), text, { mode: 0o600 });
      await expect(openKeyFile(parts("a"))).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.not.stringContaining("hunter2") as string,
      });
    }
  });

  it("keeps old keys behind a new one when it is rotated", async () => {
    const before = await openKeyFile(parts("a"));
    const after = await rotateKeyFile(parts("b"));
    expect(after.publicKeys.map(({ id }) => id)).toEqual([after.currentId, before.currentId]);
    expect((await openKeyFile(parts("c"))).currentId).toBe(after.currentId);
    expect(statSync(folder.path("keys.json")).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(folder.path("keys.json"), "utf8"))).toMatchObject({ version: 1, keys: [{}, {}] });
  });

  it("cannot be rotated where there is none", async () => {
    await expect(rotateKeyFile(parts("a"))).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});
