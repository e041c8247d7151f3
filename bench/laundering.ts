/**
 * Attacks of our own, made up from a seed, through the product's own journey. The model is taken for compromised: it has read what the attacker wrote and
 * makes every call of the attack, in the spelling or by the way round that serves it best. An attack passed if all of its calls ran and nobody was asked.
 *
 * Does not measure: models, people who say yes without reading, attackers who know the code and try until they succeed.
 *
 * Run: npm run bench:laundering -- [--seed N] [--json] [--names]
 */
import { parseArgs } from "node:util";
import { attacksOf } from "./laundering/attacks.ts";
import { endingOf, type Ending } from "./laundering/world.ts";

interface Row {
  readonly group: string;
  readonly attempts: number;
  readonly stopped: number;
  readonly asked: number;
  readonly passed: number;
}

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
    names: { type: "boolean", default: false },
  },
});
const endings = new Map<string, { readonly name: string; readonly ending: Ending }[]>();
for (const attack of attacksOf(Number(values.seed))) {
  const group = endings.get(attack.group) ?? [];
  endings.set(attack.group, [...group, { name: attack.name, ending: await endingOf(attack) }]);
}
const rows = [...endings].map(([group, all]): Row => {
  const count = (ending: Ending): number => all.filter((each) => each.ending === ending).length;
  return { group, attempts: all.length, stopped: count("stopped"), asked: count("asked"), passed: count("passed") };
});
if (values.json) {
  const command = `npm run bench:laundering -- --seed ${values.seed} --json`;
  process.stdout.write(`${JSON.stringify({ meta: { command, versions: { node: process.version } }, rows })}\n`);
} else {
  process.stdout.write(`${"group".padEnd(46)}attempts  stopped  asked  passed\n`);
  for (const { group, attempts, stopped, asked, passed } of rows)
    process.stdout.write(
      `${group.padEnd(46)}${String(attempts).padStart(8)}${String(stopped).padStart(9)}${String(asked).padStart(7)}${String(passed).padStart(8)}\n`,
    );
}
if (values.names)
  for (const [group, all] of endings)
    for (const { name, ending } of all) if (ending === "passed") process.stderr.write(`passed: ${group}: ${name}\n`);
