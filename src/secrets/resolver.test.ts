import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import type { Clock } from "../base/clock.ts";
import { defaultLimits } from "../base/limits.ts";
import { ToolCallError } from "../errors/tool-call-error.ts";
import { parseSecretReference } from "./reference.ts";
import { createSecretResolver, type SecretResolverParts } from "./resolver.ts";
import { readSecretFile } from "./secret-file.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function setUp(parts: Partial<SecretResolverParts> = {}) {
  let nowMs = 0;
  const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, after: () => ({ cancel: () => {} }) };
  const environment: Record<string, string | undefined> = { TOKEN: "first-value" };
  const told: string[] = [];
  const warnings: string[] = [];
  const resolver = createSecretResolver({
    environment,
    readFile: readSecretFile,
    clock,
    limits: defaultLimits,
    redactor: { addSecret: (value) => void told.push(value) },
    onWarning: (warning) => void warnings.push(warning),
    ...parts,
  });
  return { resolver, environment, told, warnings, advance: (byMs: number) => void (nowMs += byMs) };
}

function secretFile(text: string, mode: number): string {
  const folder = mkdtempSync(join(tmpdir(), "secrets-"));
  folders.push(folder);
  const path = join(folder, "key");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

describe("secrets", () => {
  it(verifies("SAFE-03", "are read again after a short while, so that a rotated one is used without a restart"), async () => {
    const { resolver, environment, advance, told } = setUp();
    expect(await resolver.resolve("secret://env/TOKEN")).toBe("first-value");
    environment["TOKEN"] = "second-value";
    expect(await resolver.resolve("secret://env/TOKEN")).toBe("first-value");
    advance(defaultLimits.secretCacheMs);
    expect(await resolver.resolve("secret://env/TOKEN")).toBe("second-value");
    expect(told).toEqual(["first-value", "second-value"]);
  });

  it("are told to the redactor before anybody gets them, and read once for all who ask together", async () => {
    const order: string[] = [];
    let reads = 0;
    const { resolver } = setUp({
      readFile: async () => {
        reads += 1;
        return { text: "file-value", mode: 0o600 };
      },
      redactor: { addSecret: (value) => void order.push(`told ${value}`) },
    });
    await Promise.all([1, 2].map(() => resolver.resolve("secret://file/a/b").then((value) => order.push(`got ${value}`))));
    expect(order).toEqual(["told file-value", "got file-value", "got file-value"]);
    expect(reads).toBe(1);
  });

  it("come from files without their last line end, with a warning where others can read them", async () => {
    const { resolver, warnings } = setUp();
    const path = secretFile("top secret\n", 0o600);
    expect(await resolver.resolve(`secret://file${path}`)).toBe("top secret");
    expect(warnings).toEqual([]);
    const open = secretFile("a\n\n", 0o644);
    expect(await resolver.resolve(`secret://file${open}`)).toBe("a\n");
    expect(warnings).toEqual([expect.stringContaining("has mode 0644")]);
    await expect(resolver.resolve(`secret://file${secretFile("x".repeat(defaultLimits.secretFileBytesMax + 1), 0o600)}`)).rejects.toThrow(
      /cannot be read/,
    );
  });

  it("that cannot be resolved name the reference and what would be right, and are asked for again", async () => {
    const { resolver, environment } = setUp();
    const failing = resolver.resolve("secret://env/MISSING");
    await expect(failing).rejects.toThrow("secret `secret://env/MISSING` cannot be resolved: set the environment variable `MISSING`");
    await expect(failing).rejects.toBeInstanceOf(ToolCallError);
    environment["MISSING"] = "now-there";
    expect(await resolver.resolve("secret://env/MISSING")).toBe("now-there");
    environment["EMPTY"] = "";
    await expect(resolver.resolve("secret://env/EMPTY")).rejects.toThrow(/it is empty/);
    await expect(resolver.resolve("secret://env/constructor")).rejects.toThrow(/set the environment variable/);
  });

  it("are referred to in two ways; a value in place of a reference is not repeated", () => {
    expect(parseSecretReference("secret://file/run/key")).toMatchObject({ kind: "file", name: "/run/key" });
    expect(parseSecretReference("secret://file/./key")).toMatchObject({ kind: "file", name: "./key" });
    for (const text of ["secret://vault/x", "secret://env/", "secret://env/A B", "secret://env/a/b", "secret://file/", "secret://"]) {
      expect(() => parseSecretReference(text)).toThrow(/is not a reference; write/);
    }
    expect(() => parseSecretReference("hunter2")).toThrow(/by reference/);
    expect(() => parseSecretReference("hunter2")).not.toThrow(/hunter2/);
  });
});
