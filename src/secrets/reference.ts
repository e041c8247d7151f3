import { toolCallError } from "../errors/tool-call-error.ts";

/** Where a secret is kept. */
export interface SecretReference {
  readonly kind: "env" | "file";
  /** Name of the variable, or path of the file. */
  readonly name: string;
  /** The reference as written. */
  readonly text: string;
}

const scheme = "secret://";
const variableName = /^[A-Za-z_][A-Za-z0-9_]{0,199}$/;

/** Whether a text of the configuration is a reference rather than a value. */
export function isSecretReference(text: string): boolean {
  return text.startsWith(scheme);
}

/**
 * Reads `secret://env/NAME` or `secret://file/path`: `secret://file/run/secrets/crm` is `/run/secrets/crm`, `secret://file/./crm.key` is relative to
 * the working directory. Throws `CONFIG_INVALID` otherwise; a text that is no reference at all may be a value, so it is not repeated.
 */
export function parseSecretReference(text: string): SecretReference {
  if (!isSecretReference(text)) {
    throw toolCallError("CONFIG_INVALID", "a secret must be given by reference, such as `secret://env/NAME` or `secret://file/path`");
  }
  const rest = text.slice(scheme.length);
  const slash = rest.indexOf("/");
  const kind = slash < 0 ? rest : rest.slice(0, slash);
  const name = slash < 0 ? "" : rest.slice(slash + 1);
  if (kind === "env" && variableName.test(name)) return { kind, name, text };
  if (kind === "file" && name !== "" && !name.includes("\0")) return { kind, name: name.startsWith("./") ? name : `/${name}`, text };
  throw toolCallError(
    "CONFIG_INVALID",
    `secret \`${printable(text)}\` is not a reference; write \`secret://env/NAME\` or \`secret://file/path\``,
  );
}

function printable(text: string): string {
  return text.slice(0, 100).replace(/[^\x20-\x5f\x61-\x7e]/g, "?");
}
