import type { JsonObject } from "../domain/json.ts";

/** Where a command writes. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether output may be coloured: a terminal, and neither NO_COLOR nor TERM=dumb. */
  readonly hasColour: boolean;
}

const paints = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const;

/** Text in a colour, where colours are wanted. */
export function paint(terminal: Terminal, colour: keyof typeof paints, text: string): string {
  return terminal.hasColour ? `\u001b[${paints[colour]}m${text}\u001b[0m` : text;
}

/** Rows in aligned columns; the last column is as long as it is. Control characters of values are removed, so that none can move the cursor. */
export function table(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(plain));
  const widths: number[] = [];
  for (const row of clean) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return clean
    .map(
      (row) =>
        `${row
          .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

/** A value on one line without anything that a terminal obeys. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ");
}

/** Prints data for machines, or the same for people. */
export function show(to: { readonly isJson: boolean; readonly terminal: Terminal }, data: unknown, human: () => string): void {
  to.terminal.out(to.isJson ? `${JSON.stringify(data, undefined, 2)}\n` : human());
}

/** Arguments as people read them: JSON with every special character escaped, so that none can rewrite the screen around it. */
export function plainJson(value: JsonObject): string {
  return JSON.stringify(value, undefined, 2).replace(
    /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}
