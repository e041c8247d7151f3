/** Other processes on a PostgreSQL store, and a network that loses what it is told to lose. For tests. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { createInterface } from "node:readline";

const storeUrl = new URL("./postgres.ts", import.meta.url).href;
const baseUrl = new URL("../base/", import.meta.url).href;

/** A child that opens the store, says `open <writer>`, and then does what each line of its input says, answering each with a line. */
const childSource = `
  const { openPostgresStore } = await import(${JSON.stringify(storeUrl)});
  const { systemClock } = await import(${JSON.stringify(`${baseUrl}clock.ts`)});
  const { systemRandom } = await import(${JSON.stringify(`${baseUrl}random.ts`)});
  const { defaultLimits } = await import(${JSON.stringify(`${baseUrl}limits.ts`)});
  const { createInterface } = await import("node:readline");
  const store = await openPostgresStore({ connectionString: process.argv[1], clock: systemClock, random: systemRandom, limits: { ...defaultLimits, writerLeaseMs: Number(process.argv[2]) } });
  console.log("open " + store.writer);
  const keyOf = (key) => ({ space: "thing", tenant: "acme", key });
  const entry = (callId) => ({ tenant: "acme", kind: "call-settled", atMs: 1, callId, body: {} });
  const actions = {
    async race({ callers, max }) {
      const units = Array.from({ length: callers }, (_, index) => [
        { operations: [{ op: "add", key: keyOf("limited"), delta: 1, max }], entries: [entry("add-" + process.pid + "-" + index)] },
        { operations: [{ op: "put", key: keyOf("claim-" + max), body: process.pid, expect: "absent" }], entries: [] },
      ]).flat();
      const results = await Promise.all(units.map((unit) => store.commit(unit)));
      const count = (isAdd) => results.filter(({ kind }, index) => kind === "committed" && (index % 2 === 0) === isAdd).length;
      return { added: count(true), claimed: count(false) };
    },
    async write({ name }) {
      for (let n = 0; ; n += 1) {
        const key = keyOf(name + "-" + n);
        try {
          const result = await store.commit({
            operations: [{ op: "put", key, body: n, expect: "absent" }, { op: "add", key: keyOf("all"), delta: 1 }],
            entries: [entry(key.key)],
          });
          process.stdout.write("wrote " + key.key + " " + result.entries[0].writer + "/" + result.entries[0].seq + "\\n");
        } catch (error) {
          process.stdout.write("failed " + key.key + " " + error.code + " " + error.message + "\\n");
        }
      }
    },
  };
  for await (const line of createInterface({ input: process.stdin })) {
    const { action, ...rest } = JSON.parse(line);
    void actions[action](rest).then((answer) => console.log("answer " + JSON.stringify(answer)));
  }
`;

/** Another process with a store open. */
export interface StoreChild {
  readonly child: ChildProcess;
  /** The writer as which it opened. */
  readonly writer: string;
  /** Lines that it said so far. */
  readonly lines: readonly string[];
  send(action: Readonly<Record<string, unknown>>): void;
  /** Resolves with the first line from `from` on that a pattern matches. */
  line(pattern: RegExp, from?: number): Promise<string>;
  kill(): Promise<void>;
}

/** Starts one and waits until its store is open. */
export async function startStoreChild(connectionString: string, writerLeaseMs = 30_000): Promise<StoreChild> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", childSource, connectionString, String(writerLeaseMs)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => lines.push(line));
  const one: StoreChild = {
    child,
    get writer() {
      return lines[0]?.split(" ")[1] ?? "";
    },
    lines,
    send: (action) => void child.stdin.write(`${JSON.stringify(action)}\n`),
    async line(pattern, from = 0) {
      for (;;) {
        const found = lines.slice(from).find((line) => pattern.test(line));
        if (found !== undefined) return found;
        await once(reader, "line");
      }
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
  await one.line(/^open /);
  return one;
}

/** A network between a store and its server. */
export interface LossyNetwork {
  readonly connectionString: string;
  /** Loses the next message to the server and the connection with it. */
  loseNextRequest(): void;
  /** Lets the next message to the server through, waits for its answer, and loses that and the connection. */
  loseNextAnswer(): void;
  close(): Promise<void>;
}

/** Starts one in front of a server. */
export async function startLossyNetwork(target: string): Promise<LossyNetwork> {
  const url = new URL(target);
  const serverPort = Number(url.port);
  const sockets = new Set<Socket>();
  let plan: "none" | "request" | "answer" = "none";
  const server = createServer((near) => {
    const far = connect(serverPort, url.hostname);
    let losesAnswer = false;
    const end = (): void => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", end);
    }
    near.on("data", (data) => {
      if (plan === "request") {
        plan = "none";
        end();
        return;
      }
      if (plan === "answer") {
        plan = "none";
        losesAnswer = true;
      }
      far.write(data);
    });
    far.on("data", (data) => {
      if (losesAnswer) end();
      else near.write(data);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  url.port = String((server.address() as AddressInfo).port);
  return {
    connectionString: url.href,
    loseNextRequest() {
      plan = "request";
    },
    loseNextAnswer() {
      plan = "answer";
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
