import { expect, test } from "vitest";
import { manualClock, settled, type ManualClock } from "../../test/support/manual-clock.ts";
import { verifies } from "../../test/verifies.ts";
import { fixedBounds } from "../base/fixed-bounds.ts";
import type { Signalbox } from "../call/box/box.ts";
import { createSignalbox, libraryCredential } from "../call/box/signalbox.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import { toolCallError } from "../errors/tool-call-error.ts";
import { tool } from "../registry/define.ts";
import type { LogLine } from "./log.ts";
import { startPolicyReload, type PolicyReload, type ReloadParts } from "./policy-reload.ts";
import type { BoxSession } from "../call/box/box-session.ts";

const head = "version: 1\nstore: memory\nlisten: 127.0.0.1:7320\n";
const granting = (globs: string): string => `${head}policy:\n  roles: { support: [${globs}] }\n`;

interface World {
  readonly box: Signalbox;
  readonly session: BoxSession;
  readonly clock: ManualClock;
  readonly lines: LogLine[];
  readonly files: Map<string, string>;
  readonly watched: Map<string, (name: string | null) => void>;
  readonly reading: PolicyReload;
  /** Lets the tool `shop.slow` answer. */
  readonly release: () => void;
  /** Writes a file, as an editor would, and waits until it was read. */
  write(path: string, text: string): Promise<void>;
  outcome(): Promise<string>;
  close(): Promise<void>;
}

async function world(text: string, changes: Partial<ReloadParts> = {}): Promise<World> {
  const files = new Map([["/etc/box/signalbox.yaml", text]]);
  const load = (): Promise<LoadedConfig> =>
    loadConfig(
      { path: "/etc/box/signalbox.yaml" },
      {
        environment: {},
        readFile: (path) => {
          const found = files.get(path);
          return found === undefined
            ? Promise.reject(Object.assign(new Error("no such file"), { code: "ENOENT" }))
            : Promise.resolve(found);
        },
      },
    );
  const loaded = await load();
  if ("problems" in loaded) throw new Error("the first configuration is sound");
  const input = { type: "object", properties: {} } as const;
  let release = (): void => undefined;
  const released = new Promise<string>((resolve) => (release = () => resolve("done")));
  const box = await createSignalbox({
    allowUnsafeMemory: true,
    policy: loaded.config.policyRaw,
    tools: [
      tool({ name: "shop.get", tier: "read", description: "Look up", input, run: () => ({ found: true }) }),
      tool({ name: "shop.slow", tier: "reversible", description: "Take long", input, run: () => released }),
    ],
  });
  const clock = manualClock();
  const lines: LogLine[] = [];
  const watched: World["watched"] = new Map();
  const reading = startPolicyReload({
    box,
    path: "/etc/box/signalbox.yaml",
    config: loaded.config,
    load,
    replaceCredentials: () => Promise.resolve(),
    clock,
    logger: { log: (line) => lines.push(line), flush: () => undefined },
    watchFolder(folder, onChange) {
      watched.set(folder, onChange);
      return () => void watched.delete(folder);
    },
    ...changes,
  });
  await settled();
  const session = await box.session({ tenant: "acme", user: "ada", roles: ["support"] });
  return {
    box,
    session,
    clock,
    lines,
    files,
    watched,
    reading,
    release,
    async write(path, content) {
      files.set(path, content);
      const slash = path.lastIndexOf("/");
      watched.get(path.slice(0, slash))?.(path.slice(slash + 1));
      await clock.advance(1_000);
    },
    outcome: async () => (await session.turn().call({ tool: "shop.get", arguments: {} })).outcome.kind,
    async close() {
      await reading.close();
      await box.close();
    },
  };
}

const config = "/etc/box/signalbox.yaml";

test(
  verifies(
    "AUTH-12",
    "a policy that changes in the file is in force; a broken one is named with its place and the old one stays; mended, it is in force",
  ),
  async () => {
    const made = await world(granting("shop.get"));
    const first = made.box.health().policyVersion;
    expect(await made.outcome()).toBe("completed");
    await made.write(config, granting("shop.other"));
    const second = made.box.health().policyVersion;
    expect(second).not.toBe(first);
    expect(await made.outcome()).not.toBe("completed");
    expect(made.lines).toEqual([{ level: "info", event: "policy-activated", policyVersion: second }]);

    await made.write(config, `${granting("shop.get")}  rules:\n    - { id: a, on: shop.get, when: args.(, effect: deny }\n`);
    expect(made.box.health().policyVersion).toBe(second);
    expect(await made.outcome()).not.toBe("completed");
    expect(made.lines.slice(1)).toMatchObject([
      { level: "error", event: "config-refused", place: expect.stringMatching(/^\/etc\/box\/signalbox\.yaml:7:\d+$/) as string },
      { level: "warn", event: "policy-kept", policyVersion: second },
    ]);

    await made.write(config, granting("shop.get"));
    expect(made.box.health().policyVersion).toBe(first);
    expect(await made.outcome()).toBe("completed");
    const activated = await made.box.store.entries({ tenant: "", kind: "policy-activated", limit: 10 });
    expect(activated.map(({ text }) => (JSON.parse(text) as { readonly body: { readonly by: string } }).body.by)).toEqual([
      "start",
      "reload",
      "reload",
    ]);
    await made.close();
  },
);

test("a call under way ends by the policy that it was decided by", async () => {
  const made = await world(granting("shop.slow"));
  const running = made.session.turn().call({ tool: "shop.slow", arguments: {} });
  await expect.poll(() => made.box.health().callsRunning).toBe(1);
  await made.write(config, granting("shop.other"));
  made.release();
  const answer = await running;
  expect(answer.outcome.kind).toBe("completed");
  expect((await made.box.outcome(answer.callId, libraryCredential("acme"))).outcome.kind).toBe("completed");
  await made.close();
});

test("a policy in a file of its own is watched where it lies, also when another file is named later", async () => {
  const made = await world(`${head}policy: ../policies/a.yaml\n`.replace("../policies/a.yaml", "{ roles: {} }"));
  expect([...made.watched.keys()]).toEqual(["/etc/box"]);
  made.files.set("/etc/policies/a.yaml", "roles: { support: [shop.get] }\n");
  await made.write(config, `${head}policy: ../policies/a.yaml\n`);
  expect(await made.outcome()).toBe("completed");
  expect([...made.watched.keys()]).toEqual(["/etc/box", "/etc/policies"]);
  await made.write("/etc/policies/a.yaml", "roles: { support: [] }\n");
  expect(await made.outcome()).not.toBe("completed");
  made.files.delete("/etc/policies/a.yaml");
  made.watched.get("/etc/policies")?.("a.yaml");
  await made.clock.advance(1_000);
  expect(made.lines.at(-2)).toMatchObject({ event: "config-refused", problem: expect.stringContaining("no such file") as string });
  await made.close();
});

test("other settings that changed are named, and not taken over", async () => {
  const made = await world(granting("shop.get"));
  await made.write(config, granting("shop.*").replace("7320", "7999").concat("limits: { resultCharsMax: 10 }\n"));
  expect(made.lines).toMatchObject([
    { level: "warn", event: "restart-needed", settings: "listen, limits" },
    { level: "info", event: "policy-activated" },
  ]);
  await made.close();
});

test("changed credentials are taken over without the policy's leave; what cannot be resolved changes nothing; asked for, all are resolved anew", async () => {
  const taken: string[][] = [];
  const made = await world(granting("shop.get"), {
    replaceCredentials: (next) => {
      const names = next.credentials.map(({ name }) => name);
      if (names.includes("broken")) return Promise.reject(toolCallError("CONFIG_INVALID", "credential `broken`: no such secret"));
      taken.push(names);
      return Promise.resolve();
    },
  });
  const held = (name: string): string => `credentials:\n  ${name}: { secret: secret://env/A_KEY, tenant: acme, actsFor: [support] }\n`;
  await made.write(config, granting("shop.get").concat(held("agent")));
  await made.write(config, granting("shop.get").concat(held("broken")));
  await made.write(config, granting("shop.*").concat(held("other")));
  expect(taken).toEqual([["agent"], ["other"]]);
  expect(made.lines).toMatchObject([
    { event: "credentials-replaced", credentials: 1 },
    { level: "error", event: "config-refused", problem: "credential `broken`: no such secret" },
    { event: "credentials-replaced" },
    { event: "policy-activated" },
  ]);
  await made.reading.reload();
  expect(taken).toHaveLength(3);
  await made.close();
});

test("a folder in which other files change all the time is left alone, and steps of one change are one reading", async () => {
  let readings = 0;
  const made = await world(granting("shop.get"));
  const { box, files } = made;
  await made.reading.close();
  const clock = manualClock();
  let tell: (name: string | null) => void = () => undefined;
  const loaded = await loadConfig(
    { path: config, text: granting("shop.get") },
    { environment: {}, readFile: () => Promise.reject(new Error("none")) },
  );
  const reading = startPolicyReload({
    box,
    path: config,
    config: (loaded as Extract<LoadedConfig, { readonly config: unknown }>).config,
    load() {
      readings += 1;
      return loadConfig(
        { path: config, text: files.get(config) as string },
        { environment: {}, readFile: () => Promise.reject(new Error("none")) },
      );
    },
    replaceCredentials: () => Promise.resolve(),
    clock,
    logger: { log: () => undefined, flush: () => undefined },
    watchFolder(_, onChange) {
      tell = onChange;
      return () => undefined;
    },
  });
  await settled();
  expect(readings).toBe(1);
  for (let time = 0; time < 50; time += 1) tell("signalbox.db-wal");
  await clock.advance(1_000);
  expect(readings).toBe(1);
  for (const name of ["signalbox.yaml", null, "..data", "signalbox.yaml"]) tell(name);
  await clock.advance(1_000);
  expect(readings).toBe(2);
  await reading.close();
  tell("signalbox.yaml");
  await clock.advance(1_000);
  expect(readings).toBe(2);
  await box.close();
});

test("a reload that was asked for brings back the file's policy, also over one that the API put in force", async () => {
  const made = await world(granting("shop.get"));
  await made.box.activatePolicy({ roles: {} }, "operator");
  // A change of something else does not.
  await made.write(config, `${granting("shop.get")}# nothing but a comment\n`);
  expect(await made.outcome()).not.toBe("completed");
  await made.reading.reload();
  expect(await made.outcome()).toBe("completed");
  await made.close();
});

test("what is read as the gateway closes is waited for and given up, and nothing is read after it", async () => {
  const made = await world(granting("shop.get"));
  await made.reading.close();
  const clock = manualClock();
  const reads: PromiseWithResolvers<LoadedConfig>[] = [];
  const lines: LogLine[] = [];
  const loaded = await loadConfig(
    { path: config, text: granting("shop.*") },
    { environment: {}, readFile: () => Promise.reject(new Error("none")) },
  );
  const reading = startPolicyReload({
    box: made.box,
    path: config,
    config: (loaded as Extract<LoadedConfig, { readonly config: unknown }>).config,
    load: () => (reads[reads.length] = Promise.withResolvers()).promise,
    replaceCredentials: () => Promise.reject(new Error("the gateway closes")),
    clock,
    logger: { log: (line) => lines.push(line), flush: () => undefined },
    watchFolder: () => () => undefined,
  });
  const asked = reading.reload();
  await settled();
  const ended: string[] = [];
  const closing = reading.close().then(() => ended.push("closed"));
  await settled();
  expect(ended).toEqual([]);
  reads[0]?.resolve(loaded);
  await Promise.all([closing, asked, reading.reload()]);
  expect({ reads: reads.length, lines }).toEqual({ reads: 1, lines: [] });
  await made.box.close();
});

test("where a folder cannot be watched, that is said, and asking still works", async () => {
  const made = await world(granting("shop.other"), {
    watchFolder: () => {
      throw new Error("too many watches");
    },
  });
  expect(made.lines).toMatchObject([{ level: "warn", event: "config-watch-failed", mend: expect.stringContaining("SIGHUP") as string }]);
  made.files.set(config, granting("shop.get"));
  await made.reading.reload();
  expect(await made.outcome()).toBe("completed");
  await made.close();
});

test("a file is read when it has not changed for `policyQuietMs`", async () => {
  const made = await world(granting("shop.none"));
  const change = (): void => {
    made.files.set(config, granting("shop.get"));
    made.watched.get("/etc/box")?.("signalbox.yaml");
  };
  change();
  await made.clock.advance(fixedBounds.policyQuietMs - 1);
  change();
  await made.clock.advance(fixedBounds.policyQuietMs - 1);
  await settled();
  const before = made.box.health().policyVersion;
  await made.clock.advance(1);
  await settled();
  expect(made.box.health().policyVersion).not.toBe(before);
  await made.close();
});
