import { httpPointProblem, type HttpPointOptions } from "../connectors/http-point.ts";
import { globProblem } from "../policy/glob.ts";
import type { Report } from "./problem.ts";
import { about, list, object, optional, required, text, whole, word, type Read } from "./shape.ts";
import { secretReference } from "./values.ts";

/** One entry of `decisionPoints:`. */
export const decisionPointShape = object({
  protocol: required(about("OpenID AuthZEN, or Open Policy Agent's data API.", word(["authzen", "opa"]))),
  url: required(about("The whole address that is asked: `https://pdp.example/access/v1/evaluation`.", text({ charsMax: 1_000 }))),
  on: optional(about("Tools it is asked about. Default every tool.", list(text({ charsMax: 200, problemOf: globProblem })))),
  auth: optional(about("A bearer token.", secretReference)),
  allowPrivate: optional(
    about("Exact `host:port` that may be asked although the address is private, or without TLS.", list(text({ charsMax: 300 }))),
  ),
  cacheMs: optional(about("An answer to the very same question is used again so long. Default: never.", whole({ min: 1, max: 3_600_000 }))),
});

/** The decision points of a configuration, those left out whose address may not be asked. */
export function readDecisionPoints(
  entries: readonly (readonly [string, Read<typeof decisionPointShape>])[],
  report: Report,
): readonly HttpPointOptions[] {
  return entries.flatMap(([name, { protocol, url, on, auth, allowPrivate, cacheMs }]): readonly HttpPointOptions[] => {
    if (protocol === undefined || url === undefined) return [];
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
    report
      .at(name)
      .at("url")
      .add(`this address cannot be asked: ${problem}`, "use https, or name exactly its host and port under `allowPrivate:`");
    return [];
  });
}
