import type { JsonObject } from "../domain/json.ts";
import type { Credential } from "../domain/principal.ts";
import { plainObject } from "../policy/parse-values.ts";
import { about, list, object, optional, required, type Read, type Shape, shortText } from "./shape.ts";

const anyObject: Shape<JsonObject> = {
  schema: { type: "object" },
  read(raw, report) {
    const value = plainObject(raw);
    if (value === undefined) report.add("this is not a map", "write `name: value` pairs");
    return value as JsonObject | undefined;
  },
};

/** `person:` of a credential. */
export const personShape = about(
  "The person behind a credential that approves: whose own calls it confirms, and with which roles it may change arguments.",
  object({
    user: required(shortText()),
    roles: optional(list(shortText())),
    attributes: optional(anyObject),
  }),
);

/** The person as policy sees them; undefined where none is named. */
export function personOf(person: Read<typeof personShape> | undefined): Credential["person"] {
  if (person?.user === undefined) return undefined;
  return { user: person.user, roles: person.roles ?? [], attributes: person.attributes ?? {} };
}
