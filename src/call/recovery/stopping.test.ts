import { expect, test } from "vitest";
import { verifies } from "../../../test/verifies.ts";
import type { Row } from "../../store/store.ts";
import { createWaking } from "../desk/waking.ts";
import type { Runtime } from "../runtime.ts";
import type { Sessions } from "../session/sessions.ts";
import { createRecovery } from "./recovery.ts";

const rows = ["one", "two", "three"].map((key): Row => ({
  space: "key",
  tenant: "acme",
  key,
  version: 1,
  dueMs: 1,
  body: { state: "completed", expiresAtMs: 1_000 },
}));

/** What a sweep needs of a box that takes up one row at a time; `onCommit` is told of each that it writes. */
function boxOver(onCommit: (key: string) => void): Runtime {
  const commit: Runtime["store"]["commit"] = ({ operations }) => {
    for (const { key } of operations) onCommit(key.key);
    return Promise.resolve({ kind: "committed", entries: [] });
  };
  const store = { kind: "memory", due: () => Promise.resolve(rows), commit };
  return { store, limits: { recoveryAtOnceMax: 1 }, running: new Map(), reportFault: () => undefined } as unknown as Runtime;
}

const none = {} as Sessions;

test(verifies("EXEC-12", "recovery that is stopped ends what it is at and takes up no further claim"), async () => {
  const stopping = new AbortController();
  const taken: string[] = [];
  const runtime = boxOver((key) => {
    taken.push(key);
    stopping.abort();
  });
  const recovery = createRecovery(runtime, none, () => Promise.reject(new Error("nothing runs here")));
  await recovery.sweep({ nowMs: 10, isStart: false, signal: stopping.signal });
  expect(taken).toEqual(["one"]);
});

test(verifies("EXEC-12", "waking that is stopped ends what it is at and wakes no further call"), async () => {
  const stopping = new AbortController();
  const taken: string[] = [];
  const waking = createWaking(
    boxOver(() => undefined),
    none,
    () => undefined,
  );
  const wake = (row: Row): Promise<undefined> => {
    taken.push(row.key);
    stopping.abort();
    return Promise.resolve(undefined);
  };
  await waking.sweep({ space: "deferral", nowMs: 10, signal: stopping.signal }, { wake, expire: () => Promise.resolve(false) });
  expect(taken).toEqual(["one"]);
});
