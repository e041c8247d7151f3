import { authProblems } from "../connectors/http-check.ts";
import type { ExchangeOptions, HttpAuth } from "../connectors/http-options.ts";
import { isUserReference } from "../secrets/user-reference.ts";
import type { Report } from "./problem.ts";
import { about, either, list, mapped, object, optional, required, text, word, type Read, type Shape, shortText } from "./shape.ts";
import { secretReference } from "./values.ts";

const isObject = (raw: unknown): boolean => typeof raw === "object" && raw !== null;
const scheme = optional(word(["bearer", "basic"]));
const header = optional(shortText());
const bare = mapped(secretReference, (secret): HttpAuth => ({ secret, scheme: "bearer" }));

function schemeOf(given: { readonly scheme: "bearer" | "basic" | undefined; readonly header: string | undefined }): HttpAuth["scheme"] {
  return given.header === undefined ? (given.scheme ?? "bearer") : { header: given.header };
}

/** How requests prove who sends them, with one secret for everybody. */
export const authShape: Shape<HttpAuth> = either(
  isObject,
  mapped(object({ secret: required(secretReference), scheme, header }), ({ secret, ...how }): HttpAuth | undefined =>
    secret === undefined ? undefined : { secret, scheme: schemeOf(how) },
  ),
  bare,
);

const exchangeShape = object({
  url: required(about("The token endpoint.", text())),
  client: optional(about("Reference to `id:secret` of our client there.", secretReference)),
  audience: optional(text()),
  scope: optional(text()),
  subjectType: optional(
    about("What the user's secret is. Default `access_token`.", word(["access_token", "refresh_token", "id_token", "jwt"])),
  ),
  allowPrivate: optional(about("Exact `host:port` that may be asked although private or without TLS.", list(text()))),
});

/** The same, or with a secret of each user. */
export const sourceAuthShape: Shape<HttpAuth> = either(
  isObject,
  mapped(
    object({
      secret: required(
        about(
          "A secret of the service, or of each user: `secret://file/run/secrets/mail/{tenant}/{user}`, names percent-encoded.",
          secretReference,
        ),
      ),
      scheme,
      header,
      exchange: optional(about("The user's secret is exchanged for a token, which is sent in its place (RFC 8693).", exchangeShape)),
      connectAt: optional(about("Where users connect their account; told where a user's secret is missing.", text())),
    }),
    ({ secret, exchange, connectAt, ...how }): HttpAuth | undefined => {
      if (secret === undefined) return undefined;
      const options = exchange === undefined ? undefined : exchangeOf(exchange);
      return {
        secret,
        scheme: schemeOf(how),
        ...(options !== undefined && { exchange: options }),
        ...(connectAt !== undefined && { connectAt }),
      };
    },
  ),
  bare,
);

function exchangeOf({ url, ...rest }: Read<typeof exchangeShape>): ExchangeOptions | undefined {
  if (url === undefined) return undefined;
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  return { url, ...(Object.fromEntries(given) as Omit<ExchangeOptions, "url">) };
}

/** Whose rights the tools of a source run with. */
export const runsAsShape = about(
  "Whose rights its tools run with: one account for everybody, or the account of the user behind the call. Needed where a credential is sent.",
  word(["service", "user"]),
);

const perUser = "`auth: { secret: secret://file/…/{tenant}/{user} }`";

/** Reports a source whose statement and whose credential do not go together. */
export function checkRights(
  settings: { readonly runsAs: "user" | "service" | undefined; readonly auth: HttpAuth | undefined },
  report: Report,
): void {
  const { runsAs, auth } = settings;
  if (auth === undefined) {
    if (runsAs === "user") report.at("runsAs").add("no credential of the user is named", `add ${perUser}`);
    return;
  }
  const actsAs = isUserReference(auth.secret) ? "user" : "service";
  const at = report.at("auth");
  if (runsAs === undefined)
    at.addAtName("this sends a credential, and nothing says whose rights it stands for", `add \`runsAs: ${actsAs}\``);
  else if (runsAs === "user" && actsAs === "service")
    at.add("this is one credential for all users", `name one of each user, ${perUser}, or say \`runsAs: service\``);
  else if (runsAs === "service" && actsAs === "user")
    at.add("this is a credential of each user", "say `runsAs: user`, or name one secret of the service");
  for (const problem of authProblems(auth)) at.add(problem);
}
