/**
 * When no alternative of an `anyOf` or `oneOf` fits, the validator reports every error of every alternative. A model needs the errors of the one it
 * meant. That is: the alternative whose fixed values (`const`, `enum`) and type fit, then the one with the fewest errors.
 */
import type { Finding } from "./findings.ts";

/** The errors without those of alternatives that were not meant. Alternatives that fit equally badly at one place are joined in one error. */
export function meantErrors(errors: readonly Finding[]): readonly Finding[] {
  let rest = [...errors];
  for (const composite of errors) {
    if (composite.keyword !== "anyOf" && composite.keyword !== "oneOf") continue;
    const branches = new Map<number, Finding[]>();
    const others: Finding[] = [];
    for (const error of rest) {
      const branch = error === composite ? undefined : branchOf(error, composite);
      if (branch === undefined) others.push(error);
      else branches.set(branch, [...(branches.get(branch) ?? []), error]);
    }
    if (branches.size === 0) continue;
    const chosen = choose(composite, [...branches.values()]);
    rest = others.flatMap((error) => (error === composite ? chosen : [error]));
  }
  return rest;
}

function branchOf(error: Finding, composite: Finding): number | undefined {
  const { instancePath } = composite;
  if (error.instancePath !== instancePath && !error.instancePath.startsWith(`${instancePath}/`)) return undefined;
  const schemas = composite.schema;
  if (!Array.isArray(schemas)) return undefined;
  const count = schemas.length;
  if (error.schemaPath.startsWith(`${composite.schemaPath}/`)) {
    const index = Number(error.schemaPath.slice(composite.schemaPath.length + 1).split("/")[0]);
    return Number.isInteger(index) && index < count ? index : undefined;
  }
  const referring = schemas.findIndex((schema: unknown) => {
    const reference = typeof schema === "object" && schema !== null ? (schema as { $ref?: unknown }).$ref : undefined;
    return typeof reference === "string" && error.schemaPath.startsWith(`${reference}/`);
  });
  return referring < 0 ? undefined : referring;
}

interface Candidate {
  readonly errors: readonly Finding[];
  readonly rank: readonly number[];
}

function choose(composite: Finding, branches: readonly (readonly Finding[])[]): readonly Finding[] {
  const candidates = branches.map((errors): Candidate => ({ errors, rank: rank(errors, composite.instancePath) }));
  candidates.sort((left, right) => compareRanks(left.rank, right.rank));
  const best = candidates[0] as Candidate;
  const equals = candidates.filter((candidate) => compareRanks(candidate.rank, best.rank) === 0);
  const areAllHere = equals.every(({ errors }) =>
    errors.every((error) => error.instancePath === composite.instancePath && isValueError(error)),
  );
  if (equals.length === 1 || !areAllHere) return best.errors;
  return [{ ...(best.errors[0] as Finding), alternatives: equals.flatMap((candidate) => candidate.errors) }];
}

function isValueError(error: Finding): boolean {
  return (
    error.keyword === "type" ||
    error.keyword === "enum" ||
    error.keyword === "const" ||
    error.keyword === "format" ||
    error.keyword === "pattern"
  );
}

function rank(errors: readonly Finding[], path: string): readonly number[] {
  const isWrongType = errors.some((error) => error.instancePath === path && error.keyword === "type");
  const wrongTags = errors.filter((error) => error.keyword === "const" && error.instancePath !== path).length;
  return [isWrongType ? 1 : 0, wrongTags, errors.length];
}

function compareRanks(left: readonly number[], right: readonly number[]): number {
  for (const [index, value] of left.entries()) {
    const difference = value - (right[index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
