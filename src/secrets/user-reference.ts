import type { Principal } from "../domain/principal.ts";

/**
 * References to a secret of each user: `secret://file/run/secrets/mail/{tenant}/{user}`. Both names are needed, or users of one name in two tenants would share a
 * secret; and only files can be named so, since the names of variables hold too few characters to keep two users apart.
 */
const marks = { tenant: "{tenant}", user: "{user}" } as const;

/** Whether a reference names a secret of each user. */
export function isUserReference(reference: string): boolean {
  return reference.includes("{");
}

/** Why a reference is none of each user; undefined for one that is. */
export function userReferenceProblem(reference: string): string | undefined {
  if (!reference.startsWith("secret://file/")) return "a secret of each user lies in a file: `secret://file/…/{tenant}/{user}`";
  for (const mark of Object.values(marks))
    if (reference.split(mark).length !== 2) return `it names \`${mark}\` not exactly once, so it does not keep users apart`;
  const rest = reference.replace(marks.tenant, "").replace(marks.user, "");
  if (/[{}]/.test(rest)) return "nothing but `{tenant}` and `{user}` is filled in";
  // A name that is only a part of a segment could grow into another one's.
  return reference.split("/").every((segment) => !segment.includes("{") || /^\{(?:tenant|user)\}(?:\.[A-Za-z0-9.]+)?$/.test(segment))
    ? undefined
    : "`{tenant}` and `{user}` are each a segment of the path, with an ending such as `.token` at most";
}

/** The reference of one user's secret; undefined for names that no file can have. Two principals never get the same one. */
export function userReference(reference: string, { tenant, user }: Pick<Principal, "tenant" | "user">): string | undefined {
  if (!isFileName(tenant) || !isFileName(user)) return undefined;
  // A function, since `$` means something in a replacement that is text.
  return reference.replace(marks.tenant, () => encodeURIComponent(tenant)).replace(marks.user, () => encodeURIComponent(user));
}

function isFileName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && name.isWellFormed();
}
