/** Handlers for workers, which take as much memory as they are told. */
export function run(args: { readonly megabytes?: unknown }): number {
  const kept: number[][] = [];
  for (let count = 0; count < Number(args.megabytes); count += 1) kept.push(Array.from({ length: 131_072 }, (_, index) => index + 0.5));
  return kept.length;
}
