import { fixedBounds } from "../base/fixed-bounds.ts";
import { httpPointProblem, type HttpPointOptions } from "../connectors/http-point.ts";
import { globProblem } from "../policy/glob.ts";
import type { Report } from "./problem.ts";
import { about, list, object, optional, required, text, whole, word, type Read, shortText } from "./shape.ts";
import { secretReference } from "./values.ts";
import type { CedarPointConfig, PointConfig } from "./document.ts";

/** One entry of `decisionPoints:`. */
export const decisionPointShape = object({
  protocol: required(
    about("OpenID AuthZEN or Open Policy Agent's data API over HTTP, or Cedar inside the process.", word(["authzen", "opa", "cedar"])),
  ),
  url: optional(about("Over HTTP, the whole address that is asked: `https://pdp.example/access/v1/evaluation`.", text())),
  policies: optional(about("Cedar's policies, a file. Needs the package `@cedar-policy/cedar-wasm`.", text())),
  schema: optional(about("Cedar's schema, a file; with it policies and questions are validated.", text())),
  on: optional(about("Tools it is asked about. Default every tool.", list(shortText({ problemOf: globProblem })))),
  auth: optional(about("A bearer token.", secretReference)),
  allowPrivate: optional(about("Exact `host:port` that may be asked although the address is private, or without TLS.", list(text()))),
  cacheMs: optional(
    about(
      "An answer to the very same question is used again so long. Default: never.",
      whole({ min: 1, max: fixedBounds.configSpanMsMax }),
    ),
  ),
});

type Settings = Read<typeof decisionPointShape>;

/** The decision points of a configuration, those left out that cannot be asked. */
export function readDecisionPoints(
  entries: readonly (readonly [string, Settings])[],
  parts: { readonly report: Report; readonly resolvePath: (path: string) => string },
): readonly PointConfig[] {
  return entries.flatMap(([name, settings]): readonly PointConfig[] => {
    const at = { report: parts.report.at(name), resolvePath: parts.resolvePath };
    const { protocol } = settings;
    if (protocol === undefined) return [];
    return protocol === "cedar" ? readCedar(name, settings, at) : readHttp(name, { ...settings, protocol }, at.report);
  });
}

type Parts = Parameters<typeof readDecisionPoints>[1];

function readCedar(name: string, settings: Settings, { report, resolvePath }: Parts): readonly CedarPointConfig[] {
  const { policies, schema, on } = settings;
  for (const member of ["url", "auth", "allowPrivate", "cacheMs"] as const)
    if (settings[member] !== undefined)
      report.at(member).add("Cedar is asked inside the process, so this means nothing here", "leave it out");
  if (policies === undefined) {
    report.add("Cedar needs policies", "name their file with `policies:`");
    return [];
  }
  const files = { policies: resolvePath(policies), ...(schema !== undefined && { schema: resolvePath(schema) }) };
  return [{ name, protocol: "cedar", ...files, ...(on !== undefined && { on }) }];
}

function readHttp(
  name: string,
  { protocol, url, on, auth, allowPrivate, cacheMs, policies, schema }: Settings & { readonly protocol: "authzen" | "opa" },
  report: Report,
): readonly HttpPointOptions[] {
  if (policies !== undefined) report.at("policies").add("only Cedar's policies are read here", "leave it out");
  if (schema !== undefined) report.at("schema").add("only Cedar has a schema here", "leave it out");
  if (url === undefined) {
    report.add("a decision point over HTTP needs an address", "name it with `url:`");
    return [];
  }
  const options: HttpPointOptions = {
    name,
    protocol,
    url,
    ...(on !== undefined && { on }),
    ...(auth !== undefined && { secret: auth }),
    ...(allowPrivate !== undefined && { allowPrivate }),
    ...(cacheMs !== undefined && { cacheMs }),
  };
  const problem = httpPointProblem(options);
  if (problem === undefined) return [options];
  report.at("url").add(`this address cannot be asked: ${problem}`, "use https, or name exactly its host and port under `allowPrivate:`");
  return [];
}
