import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { run, start, type Spawned } from "../../src/cli/cli.fixture.ts";

/**
 * A page for people to follow, followed: files are written where the page shows them (the word after a block's language is the name), commands of `console`
 * blocks are carried out, and what they print stands beside what the page says. Other blocks are not touched.
 */
export interface Told {
  readonly command: string;
  /** As the page has it, and as it was now, both without what differs from one time to the next. */
  readonly shown: string;
  readonly printed: string;
}

type Part =
  | { readonly kind: "file"; readonly name: string; readonly text: string }
  | { readonly kind: "command"; readonly command: string; readonly shown: string };

/** The folder in which the page says that it happens. */
const shownFolder = "/srv/desk";
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

/** Files and commands of a page, in order. */
export function partsOf(page: string): readonly Part[] {
  return [...page.matchAll(/^```(\w+) ?(\S*)\n(.*?)^```$/gms)].flatMap(([, language, name = "", text = ""]): readonly Part[] => {
    if (name !== "") return [{ kind: "file", name, text }];
    if (language !== "console") return [];
    return text
      .split(/^\$ /m)
      .slice(1)
      .map((piece) => {
        const end = piece.indexOf("\n");
        return { kind: "command", command: piece.slice(0, end), shown: piece.slice(end + 1).trimEnd() };
      });
  });
}

/** Follows a page in an empty folder. `variables` are those of the shell. */
export async function follow(
  page: string,
  parts: {
    readonly folder: string;
    readonly variables: Readonly<Record<string, string>>;
    /** What a file is written as, where it cannot be what is shown. */
    readonly written: (text: string) => string;
  },
): Promise<readonly Told[]> {
  const { folder } = parts;
  await installIn(folder);
  const variables: Record<string, string> = { ...parts.variables, SIGNALBOX_LISTEN: "127.0.0.1:0" };
  // What the page calls an id or digest, and what it is now.
  const now = new Map<string, string>();
  const told: Told[] = [];
  let serving: Spawned | undefined;
  try {
    for (const part of partsOf(page)) {
      if (part.kind === "file") {
        await writeFile(join(folder, part.name), parts.written(part.text));
        continue;
      }
      const command = part.command.replace(name, (each) => now.get(each) ?? each);
      const { line, own } = wordsOf(command, variables);
      if (line[0] === "export") {
        Object.assign(variables, own);
        continue;
      }
      let raw: string;
      if (line[0] === "curl") raw = await asked(line, variables["SIGNALBOX_URL"] ?? "");
      else if (line[2] === "serve") {
        serving?.stop();
        await serving?.ended;
        serving = start(folder, line.slice(2), variables);
        raw = await serving.firstLine;
        variables["SIGNALBOX_URL"] = /http:\/\/[\d.:]+/.exec(raw)?.[0] ?? "";
      } else {
        const ran = await run(folder, line.slice(2), { ...variables, ...own });
        raw = (ran.out + ran.err).trimEnd();
      }
      raw = raw.replaceAll(folder, shownFolder);
      const names = raw.match(name) ?? [];
      for (const [index, shown] of (part.shown.match(name) ?? []).entries()) now.set(shown, names[index] ?? shown);
      told.push({ command: part.command, shown: steady(part.shown), printed: steady(raw) });
    }
  } finally {
    serving?.stop();
    await serving?.ended;
  }
  return told;
}

/** What `curl -s ADDRESS -H HEADER … -d BODY` would print, of the gateway that runs now. */
async function asked(line: readonly string[], url: string): Promise<string> {
  const after = (flag: string): readonly string[] => line.filter((_, index) => line[index - 1] === flag);
  const headers = after("-H").map((header) => header.split(": ", 2) as [string, string]);
  const [body] = after("-d");
  const address = (line.find((word) => word.startsWith("http")) ?? "").replace("http://127.0.0.1:7320", url);
  const response = await fetch(address, { headers, ...(body !== undefined && { method: "POST", body }) });
  return (await response.text()).trimEnd();
}

/** Ids and the shown starts of digests. */
const name = /\b(?:call|apr|ses|writer|req)_[0-9a-z]{26}\b|\b[0-9a-f]{12}\b/g;

function steady(text: string): string {
  return (
    text
      .replace(name, (each) => (each.includes("_") ? `${each.split("_")[0]}_ID` : "DIGEST"))
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
      .replace(/127\.0\.0\.1:\d+/g, "ADDRESS")
      .replace(/node: [\d.]+/, "node: VERSION")
      .replace(/\b\d+ (entries|batches|checkpoints)|entry \d+/g, "COUNT")
      // Whether a checkpoint was signed by then is a matter of time.
      .replace(/^signed through.*$/m, "SIGNED")
      .replace(/ +$/gm, "")
  );
}

/** A line of a shell: its words without quotes, the variables set before the first of them or by `export`. */
function wordsOf(
  command: string,
  variables: Readonly<Record<string, string>>,
): { readonly line: readonly string[]; readonly own: Readonly<Record<string, string>> } {
  const filled = (text: string): string => text.replace(/\$(\w+)/g, (_, variable: string) => variables[variable] ?? "");
  const words = [...command.matchAll(/(?:[^\s'"]|'[^']*'|"[^"]*")+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"|\$\w+/g, (each, single?: string, double?: string) => single ?? filled(double ?? each)),
  );
  const isSetting = (word: string): boolean => /^[A-Z_]+=/.test(word);
  const own = words.filter(isSetting).map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]);
  return { line: words.filter((word) => !isSetting(word)), own: Object.fromEntries(own) as Record<string, string> };
}

/** What `npm install` of the page brings: this source in the place of the package, and zod. */
async function installIn(folder: string): Promise<void> {
  const packageFolder = join(folder, "node_modules/signalbox");
  await mkdir(packageFolder, { recursive: true });
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await writeFile(join(packageFolder, "package.json"), '{ "name": "signalbox", "type": "module", "exports": "./index.js" }');
  await writeFile(join(packageFolder, "index.js"), `export * from ${JSON.stringify(pathToFileURL(join(root, "src/index.ts")).href)};\n`);
  await symlink(join(root, "node_modules/zod"), join(folder, "node_modules/zod"));
}
