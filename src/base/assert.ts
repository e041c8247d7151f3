/** Thrown for a bug of ours, never for bad input. */
export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}

/** States what must hold here. A failure is a bug in Signalbox. */
export function assert(condition: unknown, claim: string): asserts condition {
  if (!condition) throw new AssertionFailure(claim);
}

/** Marks a branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable value \`${String(value)}\``);
}
