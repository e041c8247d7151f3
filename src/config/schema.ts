import type { JsonObject } from "../domain/json.ts";
import { configFileSchema } from "./load.ts";

/** JSON Schema (2020-12) of `signalbox.yaml`, for editors: made from the very declarations that read the file. */
export const configSchema: JsonObject = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  $id: "urn:signalbox:config:1",
  title: "signalbox.yaml",
  ...configFileSchema(),
};
