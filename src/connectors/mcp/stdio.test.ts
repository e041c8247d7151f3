import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { verifies } from "../../../test/verifies.ts";
import { systemRandom } from "../../base/random.ts";
import { scripted, startSource, until, type StartedSource } from "./source.fixture.ts";
import type { Script } from "./upstream.fixture.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcp-stdio-"));
  return () => rm(folder, { recursive: true });
});

const started: StartedSource[] = [];
let fileCount = 0;
afterEach(async () => {
  await Promise.all(started.splice(0).map(({ source }) => source.close()));
});

async function start(
  script: Script = {},
  changes: Parameters<typeof startSource>[1] & { readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<StartedSource> {
  const source = await startSource(scripted(script, changes.environment), changes);
  started.push(source);
  return source;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("finding out the era of a server", () => {
  it.each(["modern", "legacy", "ends", "silent"] as const)("calls a server that is %s", async (era) => {
    const up = await start({ era }, { limits: { mcpProbeMs: era === "silent" ? 150 : 5_000 } });
    expect(up.source.state()).toEqual({ kind: "ready", note: `connected (${era === "modern" ? "2026-07-28" : "2025-11-25"})` });
    expect(await up.call("echo", { text: "hi" })).toEqual({ kind: "value", value: 'echo: {"text":"hi"}', marks: ["unsent", "sent"] });
  });

  it("reads every page of the list", async () => {
    const up = await start({ page: 2 });
    expect(up.listings[0]?.tools).toHaveLength(15);
  });
});

describe("results of a server", () => {
  it("takes an error of the tool as one whose effect nobody knows, and quotes it without control characters", async () => {
    const up = await start();
    const failure = { kind: "failed", message: "`up.fail` reports an error", effect: "unknown", detail: "no such order [31m" };
    expect(await up.call("fail")).toMatchObject({ kind: "failure", failure });
    expect(await up.call("fail", {}, { tier: "read" })).toMatchObject({ failure: { effect: "none" } });
  });

  it("hands a structure over, one level down where it spells a member of ours", async () => {
    const up = await start();
    expect(await up.call("structured")).toMatchObject({ kind: "value", value: { value: { total: 3 } } });
  });

  it("hands media over as parts", async () => {
    const up = await start();
    const { value } = (await up.call("picture")) as unknown as { readonly value: Readonly<Record<string, unknown>> };
    expect(value["signalbox:parts"]).toEqual([
      { kind: "text", text: "look" },
      { kind: "image", mediaType: "image/png", dataBase64: "AAAA" },
      { kind: "json", value: { type: "resource_link", uri: "file:///x", name: "x" } },
    ]);
  });

  it("passes on progress of this very call only", async () => {
    const up = await start();
    const told: string[] = [];
    await up.call("progress", {}, { progress: (message) => told.push(message) });
    expect(told).toEqual(["half way"]);
  });

  it("is not led astray by nonsense, answers to nobody and results that are none", async () => {
    const up = await start();
    expect(await up.call("garbage")).toMatchObject({
      kind: "failure",
      failure: { effect: "unknown", message: "the server of `up.garbage` gave no usable answer" },
    });
    expect(await up.call("echo")).toMatchObject({ kind: "value" });
  });

  it("refuses what a server asks of it, except for a sign of life", async () => {
    const up = await start();
    expect(await up.call("asks")).toMatchObject({ kind: "value", value: "asked" });
    expect(await up.call("echo")).toMatchObject({ kind: "value" });
  });
});

describe("a server's process", () => {
  it("gets no variable of ours besides the common ones, and secrets only where they were configured", async () => {
    process.env["OUR_SECRET"] = "hush";
    const up = await start({}, { environment: { TOKEN: "secret://env/T" }, secrets: { "secret://env/T": "t0ken" } });
    delete process.env["OUR_SECRET"];
    const { value } = (await up.call("environment")) as unknown as { readonly value: string };
    expect(value.split(" ")).toEqual(expect.arrayContaining(["PATH", "TOKEN", "UPSTREAM"]));
    expect(value).not.toContain("OUR_SECRET");
  });

  it(
    verifies("CONN-03", "that dies in the middle of a call fails that call as unknown, and is started again and listed before the next"),
    async () => {
      const up = await start();
      const waiting = up.call("slow", {}, { tier: "read" });
      const listed = up.nextListing();
      expect(await up.call("die")).toMatchObject({
        kind: "failure",
        failure: { kind: "unavailable", effect: "unknown" },
        marks: ["unsent", "sent"],
      });
      expect(await waiting).toMatchObject({ kind: "failure", failure: { kind: "unavailable", effect: "none" } });
      await listed;
      expect(await up.call("echo")).toMatchObject({ kind: "value" });
      expect(up.notes[0]).toContain("the server's process ended");
    },
  );

  it("that never comes up is tried again with growing waits, and calls of it fail at once without effect", async () => {
    const startsFile = join(folder, "stillborn");
    const up = await start({ stillborn: true, startsFile }, { limits: { mcpRestartBaseMs: 40, mcpRestartCapMs: 100_000_000 } });
    expect(up.source.state().kind).toBe("down");
    await until(() => up.notes.length >= 4);
    const waits = up.notes.map((note) => Number(/in (\d+) ms/.exec(note)?.[1]));
    for (const [index, wait] of waits.entries()) expect(wait).toBeLessThan(40 * 2 ** index);
  });

  it("that cannot be started says what to mend, and fails every call at once", async () => {
    const up = await startSource({ kind: "stdio", command: ["no-such-program-of-ours"] });
    started.push(up);
    expect(up.source.state().kind).toBe("down");
    expect(up.notes[0]).toContain("cannot be started: no such program or folder; mend its `command`");
  });

  it("that was up for mcpSteadyMs counts as healthy again; one that dies sooner waits longer each time", async () => {
    const random = { ...systemRandom, sample: () => 0.99 };
    for (const [mcpSteadyMs, factor] of [
      [1, 1],
      [600_000, 2],
    ] as const) {
      const up = await start({}, { random, limits: { mcpRestartBaseMs: 20, mcpSteadyMs } });
      for (let round = 0; round < 2; round += 1) {
        const listed = up.nextListing();
        await up.call("die");
        await listed;
        await until(() => up.source.state().kind === "ready");
      }
      expect(up.notes.map((note) => Number(/in (\d+) ms/.exec(note)?.[1]))).toEqual([19, Math.floor(20 * factor * 0.99)]);
    }
  });

  it("that says nothing at all is given up after mcpConnectMs", async () => {
    const up = await start(
      { era: "mute" },
      { limits: { mcpProbeMs: 20, mcpConnectMs: 60, mcpRestartBaseMs: 100_000_000, mcpRestartCapMs: 100_000_000 } },
    );
    expect(up.source.state()).toEqual({ kind: "down", note: "given up while it was carried out" });
    expect(await up.source.close()).toBeUndefined();
  });

  it("that does not go within mcpEndMs of the end of its input is told to, with everything it has started", async () => {
    const startsFile = join(folder, "starts");
    const up = await start({ startsFile }, { limits: { mcpEndMs: 20, mcpKillMs: 100_000_000 } });
    const { value } = (await up.call("children")) as unknown as { readonly value: string };
    const pids = [Number((await readFile(startsFile, "utf8")).trim()), Number(value)];
    expect(pids.map(isAlive)).toEqual([true, true]);
    await up.source.close();
    await until(() => !pids.some(isAlive));
  });

  it("that goes neither at the end of its input nor when it is told to is killed after mcpKillMs", async () => {
    const startsFile = join(folder, "stubborn");
    const up = await start({ startsFile, stubborn: true }, { limits: { mcpEndMs: 20, mcpKillMs: 20 } });
    const pid = Number((await readFile(startsFile, "utf8")).trim());
    await up.source.close();
    expect(isAlive(pid)).toBe(false);
  });

  it("that was given up is gone as well when its source has closed", async () => {
    const [startsFile, toolsFile] = [join(folder, "given-up"), join(folder, "given-up.json")];
    await writeFile(
      toolsFile,
      JSON.stringify([{ name: "change", description: "Says that the tools changed.", inputSchema: { type: "object" } }]),
    );
    const limits = { mcpEndMs: 200, mcpKillMs: 200, mcpRestartBaseMs: 100_000_000, mcpRestartCapMs: 100_000_000 };
    const up = await start({ startsFile, toolsFile, stubborn: true }, { limits });
    await up.call("change", { text: '"none"' });
    await until(() => up.notes.length > 0);
    const pid = Number((await readFile(startsFile, "utf8")).trim());
    expect(isAlive(pid)).toBe(true);
    await up.source.close();
    expect(isAlive(pid)).toBe(false);
  });

  it("that floods both streams answers all the same, and is ended and started again beyond mcpStrayMessagesMax", async () => {
    const up = await start({}, { limits: { mcpStrayMessagesMax: 1_000 } });
    expect(await up.call("flood", { text: "900" })).toMatchObject({ kind: "value", value: "flooded" });
    expect(await up.call("flood", { text: "900" })).toMatchObject({ kind: "value", value: "flooded" });
    const listed = up.nextListing();
    expect(await up.call("flood", { text: "2000" })).toMatchObject({ kind: "failure", failure: { effect: "unknown" } });
    await listed;
    expect(await up.call("echo")).toMatchObject({ kind: "value" });
  });

  it("that sends a message without an end is ended once it is longer than mcpMessageBytesMax, and started again", async () => {
    const up = await start({}, { limits: { mcpMessageBytesMax: 10_000 } });
    const listed = up.nextListing();
    expect(await up.call("gush", { text: "20000" })).toMatchObject({ kind: "failure", failure: { effect: "unknown" } });
    await listed;
    expect(await up.call("echo")).toMatchObject({ kind: "value" });
  });

  it("is told when a call is given up, and the others go on", async () => {
    const up = await start();
    const controller = new AbortController();
    const given = up.call("slow", {}, { signal: controller.signal });
    const other = up.call("echo", { text: "other" });
    expect(await other).toMatchObject({ kind: "value" });
    controller.abort();
    expect(await given).toMatchObject({ kind: "failure", failure: { effect: "unknown" } });
    const { value } = (await up.call("cancelled")) as unknown as { readonly value: string };
    expect(JSON.parse(value)).toHaveLength(1);
  });

  it("takes no more than mcpCallsWaitingMax calls at once", async () => {
    const up = await start({}, { limits: { mcpCallsWaitingMax: 2 } });
    const controller = new AbortController();
    const slow = [1, 2].map(() => up.call("slow", {}, { signal: controller.signal }));
    await until(async () => (await up.call("echo")).kind === "failure");
    expect(await up.call("echo")).toMatchObject({ failure: { kind: "rate-limited", effect: "none" } });
    controller.abort();
    await Promise.all(slow);
  });
});

describe("a list of tools", () => {
  const one = (name: string, more: object = {}): object => ({ name, description: "A tool.", inputSchema: { type: "object" }, ...more });

  async function listed(tools: readonly unknown[], limits: Parameters<typeof startSource>[1] = {}): Promise<StartedSource> {
    const toolsFile = join(folder, `tools-${(fileCount += 1)}`);
    await writeFile(toolsFile, JSON.stringify(tools));
    return await start({ toolsFile }, limits);
  }

  it("leaves out what is no definition and what is there twice, and says so", async () => {
    const up = await listed([
      one("good"),
      one("twin"),
      one("twin", { description: "Another." }),
      7,
      { name: "bare" },
      one("", {}),
      one("bad", { description: 5 }),
    ]);
    expect(up.listings[0]?.tools.map(({ name }) => name)).toEqual(["good"]);
    expect(up.listings[0]?.problems).toHaveLength(5);
  });

  it("leaves out a definition that is too deep or too large", async () => {
    let deep: object = { type: "object" };
    for (let level = 0; level < 200; level += 1) deep = { properties: { a: deep } };
    const up = await listed([one("good"), one("deep", { inputSchema: deep }), one("large", { description: "x".repeat(600_000) })]);
    expect(up.listings[0]?.tools.map(({ name }) => name)).toEqual(["good"]);
    expect(up.listings[0]?.problems).toHaveLength(2);
  });

  it("leaves out a definition whose header annotations are not valid", async () => {
    const annotated = (header: unknown, type = "string"): object => ({
      inputSchema: { type: "object", properties: { a: { type, "x-mcp-header": header } } },
    });
    const up = await listed([
      one("good", annotated("Region")),
      one("split", annotated("a\r\nb")),
      one("number", annotated("Region", "number")),
    ]);
    expect(up.listings[0]?.tools.map(({ name }) => name)).toEqual(["good"]);
  });

  it("refuses a server whose pages go round in circles, or that offers more than mcpSourceToolsMax", async () => {
    const circling = await start({ circles: true, page: 1 });
    expect(circling.source.state()).toMatchObject({
      kind: "down",
      note: "the server cannot be used: the pages of its list go round in circles",
    });
    const many = await listed(
      Array.from({ length: 11 }, (_, index) => one(`t${index}`)),
      { limits: { mcpSourceToolsMax: 10 } },
    );
    expect(many.source.state()).toMatchObject({ kind: "down", note: expect.stringContaining("more than 10 tools") as string });
  });

  it("is not read beyond mcpListPagesMax pages", async () => {
    const up = await start({ page: 1 }, { limits: { mcpListPagesMax: 12 } });
    expect(up.source.state()).toMatchObject({ kind: "down", note: expect.stringContaining("more than 12 pages") as string });
  });

  it("is read again every mcpRelistMs", async () => {
    const up = await start({}, { limits: { mcpRelistMs: 20 } });
    await up.nextListing();
    await up.nextListing();
    expect(await up.call("echo")).toMatchObject({ kind: "value" });
  });

  it("is read again when the server says that it changed, and a call of the old definition does not leave", async () => {
    const toolsFile = join(folder, "changing");
    await writeFile(toolsFile, JSON.stringify([one("change"), one("echo")]));
    const up = await start({ toolsFile });
    const before = up.listings[0]?.tools.find(({ name }) => name === "echo");
    const listing = up.nextListing();
    await up.call("change", { text: JSON.stringify([one("change"), one("echo", { description: "Another one." })]) });
    expect((await listing).tools.find(({ name }) => name === "echo")?.description).toBe("Another one.");
    await until(() => up.listings.length === 2);
    const stale = await before?.connector.execute({}, {
      tool: { name: "up.echo", tier: "read" },
      signal: new AbortController().signal,
    } as never);
    expect(stale).toMatchObject({ kind: "failure", failure: { code: "TOOL_QUARANTINED", effect: "none" } });
    expect(await up.call("echo")).toMatchObject({ kind: "value" });
  });
});
