import { refuse, roundedTo2 } from "./domain.ts";

/** Works a sum out: numbers, `+ - * /`, brackets. The answer has the form of a decimal number with at most two places, such as `12.0`. */
export function calculated(expression: string): string {
  if (!/^[0-9+\-*/(). ]*$/.test(expression)) refuse("invalid characters in expression");
  const tokens = expression.match(/\d+\.?\d*|\.\d+|[+\-*/()]/g) ?? [];
  const state = { tokens, index: 0 };
  const value = roundedTo2(sum(state));
  if (state.index !== tokens.length || !Number.isFinite(value)) refuse("invalid expression");
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

interface Reading {
  readonly tokens: readonly string[];
  index: number;
}

function sum(reading: Reading): number {
  let value = product(reading);
  for (let sign = take(reading, "+", "-"); sign !== undefined; sign = take(reading, "+", "-"))
    value = sign === "+" ? value + product(reading) : value - product(reading);
  return value;
}

function product(reading: Reading): number {
  let value = factor(reading);
  for (let sign = take(reading, "*", "/"); sign !== undefined; sign = take(reading, "*", "/"))
    value = sign === "*" ? value * factor(reading) : value / factor(reading);
  return value;
}

function factor(reading: Reading): number {
  const sign = take(reading, "+", "-");
  if (sign !== undefined) return sign === "-" ? -factor(reading) : factor(reading);
  if (take(reading, "(") === undefined) return Number(reading.tokens[reading.index++]);
  const value = sum(reading);
  return take(reading, ")") === undefined ? Number.NaN : value;
}

function take(reading: Reading, ...wanted: readonly string[]): string | undefined {
  const token = reading.tokens[reading.index];
  if (token === undefined || !wanted.includes(token)) return undefined;
  reading.index += 1;
  return token;
}
