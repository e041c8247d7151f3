import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { systemRandom } from "../base/random.ts";
import { decodeHeader, LogProblem, logHeaderBytes, logPaths, logSalts, readFrames, removeLog } from "./log-file.ts";
import { frameAt, type FrameContent } from "./log-frame.ts";
import { CommitLog } from "./log-writer.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-log-"));
let fileCount = 0;
const newPath = (): string => join(folder, `${(fileCount += 1)}.db`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const owner = { writer: "writer_1", epoch: 1 };
const options = { owner, lastFrame: 0, fileBytesMax: 4_096, mode: 0o600, random: systemRandom };
const open = (path: string): CommitLog => new CommitLog({ ...options, path });
const numbersAfter = (path: string, afterFrame: number): readonly number[] =>
  readFrames(path, owner, { afterFrame }).map(({ number }) => number);

/** A frame of about so many bytes. */
function contentOf(bytes: number): FrameContent {
  const key = { space: "thing", tenant: "acme", key: "k" };
  const row = { key, version: 1, text: JSON.stringify("x".repeat(bytes)), dueMs: undefined };
  return { epoch: 1, firstSeq: 1, drafts: [], texts: [], rows: new Map([["k", row]]), counters: new Map() };
}

/** Places where frames of a file end. */
function endsIn(file: string): readonly number[] {
  const bytes = readFileSync(file);
  const ends = [logHeaderBytes];
  for (let place = frameAt(bytes, logHeaderBytes); place !== undefined; place = frameAt(bytes, place.end)) ends.push(place.end);
  return ends;
}

describe("the files of the commit log", () => {
  test("hold every frame in order over both files, and are as private as the store", () => {
    const path = newPath();
    const log = open(path);
    let written = 0;
    while (log.hasRoom) {
      log.append(contentOf(300));
      written += 1;
    }
    expect(logPaths(path).map((one) => existsSync(one) && statSync(one).mode & 0o777)).toEqual([0o600, 0o600]);
    expect(numbersAfter(path, 0)).toEqual(Array.from({ length: written }, (_, index) => index + 1));
    expect(numbersAfter(path, written - 2)).toEqual([written - 1, written]);
    expect(readFrames(path, owner, { afterFrame: 2, throughFrame: 4 }).map(({ number }) => number)).toEqual([3, 4]);
    log.close();
    removeLog(path);
    expect([numbersAfter(path, written), logPaths(path).some(existsSync)]).toEqual([[], false]);
  });

  test("are used again only when everything in them is in the tables, and never grow then", () => {
    const path = newPath();
    const log = open(path);
    let last = 0;
    for (let lap = 0; lap < 5; lap += 1) {
      while (log.hasRoom) {
        log.append(contentOf(300));
        last += 1;
      }
      expect(numbersAfter(path, last)).toEqual([]);
      expect(numbersAfter(path, last - 5)).toHaveLength(5);
      log.broughtIn(last);
      expect(log.hasRoom).toBe(true);
      for (const one of logPaths(path)) expect(statSync(one).size).toBeLessThan(5_200);
    }
    const salts = logSalts(path);
    log.append(contentOf(300));
    expect(logSalts(path)).not.toBe(salts);
    log.close();
  });

  test("cut anywhere, or with a bit turned in the last frame, hold every frame before, and no other", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 12 }),
        fc.nat(),
        fc.boolean(),
        (sizes, cut, isCut) => {
          const path = newPath();
          const log = open(path);
          const count = sizes.filter((size) => log.hasRoom && log.append(contentOf(size)) > 0).length;
          log.close();
          const [first, second] = logPaths(path);
          const file = existsSync(second) ? second : first;
          const ends = endsIn(file);
          const end = ends.at(-1) as number;
          const start = ends.at(-2) as number;
          // A file is cut anywhere; a bit is turned in the last frame alone, since a frame before a whole one is damage.
          const at = isCut ? cut % end : start + (cut % (end - start));
          const bytes = readFileSync(file);
          if (isCut) truncateSync(file, at);
          else writeFileSync(file, bytes.fill((bytes[at] as number) ^ 0x10, at, at + 1));
          const lost = isCut ? ends.filter((one) => one > at && one > logHeaderBytes).length : 1;
          expect(numbersAfter(path, 0)).toEqual(Array.from({ length: count - lost }, (_, index) => index + 1));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("are refused, with file and byte, where a frame before a whole one is damaged or a file is missing", () => {
    const path = newPath();
    const log = open(path);
    while (log.hasRoom) log.append(contentOf(300));
    log.close();
    const [first, second] = logPaths(path);
    const ends = endsIn(first);
    const bytes = readFileSync(first);
    for (const index of [0, 3, ends.length - 3]) {
      const at = ends[index] as number;
      for (const offset of [0, 9, 13, 40]) {
        const damaged = Buffer.from(bytes);
        damaged[at + offset] = (damaged[at + offset] as number) ^ 1;
        writeFileSync(first, damaged);
        expect(() => numbersAfter(path, 0)).toThrow(`\`${first}\` is damaged at byte ${at}: frame ${index + 1} cannot be read`);
      }
    }
    const headless = Buffer.from(bytes).fill(0, 30, 40);
    writeFileSync(first, headless);
    expect(decodeHeader(headless)).toBeUndefined();
    expect(() => numbersAfter(path, 0)).toThrow(`\`${first}\` is damaged at byte 0`);
    rmSync(first);
    expect(() => numbersAfter(path, 0)).toThrow(new LogProblem(`frame 1 is missing before \`${second}\``));
    expect(numbersAfter(path, ends.length - 1).length).toBeGreaterThan(3);
  });

  test("of another store, or of an epoch before a restore, are refused", () => {
    const [path, other] = [newPath(), newPath()];
    const log = open(path);
    log.append(contentOf(10));
    log.close();
    copyFileSync(logPaths(path)[0], logPaths(other)[0]);
    expect(() => readFrames(other, { writer: "writer_2", epoch: 1 }, { afterFrame: 0 })).toThrow(
      /belongs to epoch 1 of the store `writer_1`/,
    );
    expect(() => readFrames(other, { writer: "writer_1", epoch: 2 }, { afterFrame: 0 })).toThrow(LogProblem);
  });

  test("do not hold what looks like a frame inside a value that a caller chose", () => {
    const path = newPath();
    const log = open(path);
    log.append(contentOf(10));
    const [first] = logPaths(path);
    const forged = readFileSync(first).subarray(logHeaderBytes).toString("latin1");
    log.append({
      ...contentOf(0),
      texts: [],
      rows: new Map([["k", { key: { space: "s", tenant: "", key: forged }, version: 1, text: "1", dueMs: undefined }]]),
    });
    log.close();
    expect(numbersAfter(path, 0)).toEqual([1, 2]);
  });
});
