import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkCircles } from "./circles.ts";
import { checkLayers, type Layers } from "./layers.ts";
import { finish, readSources, root } from "./source.ts";

const layers = JSON.parse(readFileSync(join(root, "layers.json"), "utf8")) as Layers;
const files = readSources(root, ["src"], [".ts"]);
finish("layers", [...checkLayers(files, layers), ...checkCircles(files)], { count: files.length, atLeast: 20, what: "files" });
