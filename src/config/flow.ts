import { flowModes, personalDataModes } from "../domain/flow.ts";
import type { Config } from "./document.ts";
import { about, object, optional, required, word, type Read } from "./shape.ts";

/** What happens to calls by where their arguments come from: `flow:`. */
export const flowShape = about(
  "What happens where an argument comes from untrusted text or the user did not ask: `observe` only reports, `standard` (default) asks and refuses, `strict` also where the user's words are unknown.",
  object({
    mode: required(word(flowModes)),
    personalData: optional(
      about(
        "What counts as personal or secret in results: `guess` (default) what is labelled, and what looks like it where no label says who may have it; `declared` only what is labelled.",
        word(personalDataModes),
      ),
    ),
  }),
);

/** The same, with its defaults. */
export function flowOf(said: Read<typeof flowShape> | undefined): Pick<Config, "flowMode" | "personalData"> {
  return { flowMode: said?.mode ?? "standard", personalData: said?.personalData ?? "guess" };
}
