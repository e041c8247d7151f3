import { fixedBounds } from "../base/fixed-bounds.ts";
import type { JsonObject } from "../domain/json.ts";

/** Where a command writes. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether output may be coloured: a terminal, and neither NO_COLOR nor TERM=dumb. */
  readonly hasColour: boolean;
  /** Its width in characters; absent where output is no terminal, and nothing is folded then. */
  readonly columns?: number | undefined;
}

const paints = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const;

/** Text in a colour, where colours are wanted. */
export function paint(terminal: Terminal, colour: keyof typeof paints, text: string): string {
  return terminal.hasColour ? `\u001b[${paints[colour]}m${text}\u001b[0m` : text;
}

/**
 * Rows in aligned columns; the last column is as long as it is, or folded under itself where `columns` says how wide a line may be. Control characters of
 * values are removed, so that none can move the cursor.
 */
export function table(rows: readonly (readonly string[])[], columns?: number): string {
  const clean = rows.map((row) => row.map(plain));
  const widths: number[] = [];
  for (const row of clean) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return clean
    .map((row) => {
      const before = row.slice(0, -1).map((cell, index) => `${cell.padEnd(widths[index] ?? 0)}  `);
      const indent = before.join("").length;
      const folded = fold(row.at(-1) ?? "", columns === undefined ? Number.POSITIVE_INFINITY : columns - indent);
      return `${before.join("")}${folded.join(`\n${" ".repeat(indent)}`)}`.trimEnd() + "\n";
    })
    .join("");
}

/** A text as lines of at most so many characters, broken between words; never narrower than a few words. */
export function fold(text: string, charsMax: number): readonly string[] {
  const width = Math.max(charsMax, fixedBounds.foldedCharsMin);
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
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
