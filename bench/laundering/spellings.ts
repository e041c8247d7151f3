/** Ways to write a text so that a comparison may miss it. */
export const spellings = {
  plain: (text: string): string => text,
  "upper case": (text: string): string => text.toUpperCase(),
  base64: (text: string): string => Buffer.from(text).toString("base64"),
  "base64 twice": (text: string): string => Buffer.from(Buffer.from(text).toString("base64")).toString("base64"),
  hexadecimal: (text: string): string => Buffer.from(text).toString("hex"),
  percent: (text: string): string => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join(""),
  reversed: (text: string): string => [...text].toReversed().join(""),
  "zero width": (text: string): string => [...text].join("\u200b"),
  "soft hyphens": (text: string): string => [...text].join("\u00ad"),
  "full width": (text: string): string =>
    text.replace(/[!-~]/g, (character) => String.fromCodePoint((character.codePointAt(0) as number) + 0xfee0)),
  spaced: (text: string): string => [...text].join(" "),
  "rot 13": (text: string): string =>
    text.replace(/[a-z]/gi, (letter) => {
      const code = letter.charCodeAt(0);
      return String.fromCharCode((code & 31) <= 13 ? code + 13 : code - 13);
    }),
  "json escapes": (text: string): string =>
    JSON.stringify({ value: text }).replace(/[@.]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`),
  entities: (text: string): string => [...text].map((character) => `&#${character.codePointAt(0)};`).join(""),
} as const satisfies Readonly<Record<string, (text: string) => string>>;

/** Name of a spelling. */
export type Spelling = keyof typeof spellings;

/** All of them. */
export const spellingNames = Object.keys(spellings) as readonly Spelling[];
