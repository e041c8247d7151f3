import type { Mutant } from "../invariant.ts";
import { effectMutants } from "./effects.ts";
import { guardMutants } from "./guards.ts";
import { journeyMutants } from "./journey.ts";
import { readerMutants } from "./readers.ts";
import { waitMutants } from "./waits.ts";

/** Every mechanism that `npm run check:invariants` takes out. */
export const mutants: readonly Mutant[] = [...journeyMutants, ...guardMutants, ...readerMutants, ...effectMutants, ...waitMutants];
