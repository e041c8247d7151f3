import { isIP } from "node:net";
import { parseSecretReference } from "../secrets/reference.ts";
import type { ListenConfig, SharedLimitsAddress, StoreConfig } from "./document.ts";
import type { Report } from "./problem.ts";
import { mapped, text, type Shape } from "./shape.ts";

/** A reference to a secret. A value in its place is refused without being repeated. */
export const secretReference: Shape<string> = text({
  mend: "write `secret://env/NAME` or `secret://file/path`; the file itself holds no secret",
  schema: { pattern: "^secret://(env|file)/" },
  problemOf: (value) => {
    if (isSecretReference(value)) return undefined;
    return value.startsWith("secret://") ? "this is not a reference to a secret" : "a secret stands here by value";
  },
});

/** `memory`, `sqlite:` and a path that `resolvePath` makes absolute, or the address of a PostgreSQL database without a password. */
export function storeShape(resolvePath: (path: string) => string): Shape<StoreConfig> {
  return mapped(text({ schema: { pattern: "^(memory$|sqlite:.|postgres(ql)?://[^/]*/.)" } }), (value, report) =>
    readStore(value, report, resolvePath),
  );
}

function readStore(value: string, report: Report, resolvePath: (path: string) => string): StoreConfig | undefined {
  if (value === "memory") return { kind: "memory" };
  const path = value.startsWith("sqlite:") ? value.slice("sqlite:".length) : "";
  if (path !== "" && !path.startsWith("//")) return { kind: "sqlite", path: resolvePath(path) };
  if (/^postgres(ql)?:/.test(value)) return readDatabase(value, report);
  report.add("expected `memory`, `sqlite:` and a path, or `postgres://`", "such as `sqlite:./signalbox.db`");
  return undefined;
}

function readDatabase(value: string, report: Report): StoreConfig | undefined {
  const url = URL.parse(value);
  if (url === null || url.pathname.length < 2) {
    report.add("this is not the address of a PostgreSQL database", "write `postgres://user@host:5432/database`");
    return undefined;
  }
  if (url.password !== "" || url.searchParams.has("password")) {
    report.add("a password stands here by value", "leave it out, and give it as `PGPASSWORD` or in a pass file; this file holds no secret");
    return undefined;
  }
  return { kind: "postgres", url: value };
}

/** The address of a Redis server without a password, or a reference of one that has it. */
export const sharedLimitsShape: Shape<SharedLimitsAddress> = text({
  mend: "write `redis://host:6379`, or `secret://env/REDIS_URL` for an address with a password",
  schema: { pattern: "^(rediss?://[^/@]|rediss?://[^/:@]*@|secret://(env|file)/)" },
  problemOf: (value) => {
    if (value.startsWith("secret:")) return isSecretReference(value) ? undefined : "this is not a reference to a secret";
    const url = URL.parse(value);
    if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === "") return "this is not the address of a Redis server";
    return url.password === "" ? undefined : "a password stands here by value";
  },
}) as Shape<SharedLimitsAddress>;

function isSecretReference(value: string): boolean {
  try {
    parseSecretReference(value);
    return true;
  } catch {
    return false;
  }
}

/** `host:port`; port 0 lets the system choose. */
export const listenShape: Shape<ListenConfig> = {
  schema: { type: "string", pattern: "^(\\[[0-9a-fA-F:.]+\\]|[^:]+):[0-9]{1,5}$" },
  read(raw, report) {
    const listen = typeof raw === "string" ? readListen(raw) : undefined;
    if (listen === undefined) report.add("expected a host and a port", 'such as `127.0.0.1:7320` or `"[::1]:7320"`');
    return listen;
  },
};

function readListen(value: string): ListenConfig | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(value);
  const [, address, name, digits] = match ?? [];
  const host = address ?? name;
  const port = Number(digits);
  if (host === undefined || port > 65_535 || (address !== undefined && isIP(address) !== 6)) return undefined;
  return { host, port };
}

/** Whether only programs of the same machine can reach an address or name. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}
