import { webhookProblem, type WebhookOptions } from "../connectors/webhook.ts";
import type { Report } from "./problem.ts";
import { about, list, object, optional, required, text, type Read } from "./shape.ts";
import { secretReference } from "./values.ts";

/** `notify:`, where people hear of calls that wait for them and of calls that ran and whose owner is told. */
export const notifyShape = object({
  url: required(about("The whole address that notices are posted to, signed as Standard Webhooks says.", text())),
  secret: required(about("The signing key: `whsec_` and base64 of 24 to 64 bytes.", secretReference)),
  allowPrivate: optional(about("Exact `host:port` that may be asked although the address is private, or without TLS.", list(text()))),
});

/** Where notices go; undefined where nowhere is named, or the address may not be asked. */
export function readNotify(given: Read<typeof notifyShape> | undefined, report: Report): WebhookOptions | undefined {
  if (given?.url === undefined || given.secret === undefined) return undefined;
  const { url, secret, allowPrivate } = given;
  const options = { url, secret, ...(allowPrivate !== undefined && { allowPrivate }) };
  const problem = webhookProblem(options);
  if (problem === undefined) return options;
  report.at("url").add(`this address cannot be asked: ${problem}`, "use https, or name exactly its host and port under `allowPrivate:`");
  return undefined;
}
