import type { Clock } from "./clock.ts";
import type { Random } from "./random.ts";

/** Mints ids. */
export interface IdSource {
  /** A new id `<prefix>_<26 characters>` that sorts after every earlier one of this source. */
  next(prefix: string): string;
}

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const randomDigits = 16;

/**
 * Ids that sort by the time they were made: 10 characters of milliseconds and 16 random ones (80 bits), after the ULID layout. Within one
 * millisecond the random part is counted up, so that ids of one source are strictly increasing and indexes stay local.
 */
export function createIdSource(clock: Clock, random: Random): IdSource {
  let lastMs = -1;
  let timeText = "";
  const digits = new Uint8Array(randomDigits);
  const characters = Buffer.alloc(randomDigits);
  return {
    next(prefix) {
      const nowMs = clock.now();
      if (nowMs > lastMs) {
        lastMs = nowMs;
        timeText = encodeTime(nowMs);
        const bytes = random.bytes(randomDigits);
        for (let index = 0; index < randomDigits; index += 1) digits[index] = (bytes[index] as number) & 31;
        // Head room, so that counting up cannot overflow.
        digits[0] = (digits[0] as number) & 15;
      } else {
        countUp(digits);
      }
      for (let index = 0; index < randomDigits; index += 1) characters[index] = alphabet.charCodeAt(digits[index] as number);
      // Put together in bytes: a string grown character by character is kept as a chain of its pieces, twenty times as large.
      return `${prefix}_${timeText}${characters.toString("latin1")}`;
    },
  };
}

function encodeTime(atMs: number): string {
  let rest = atMs;
  let text = "";
  for (let index = 0; index < 10; index += 1) {
    text = (alphabet[rest % 32] as string) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function countUp(digits: Uint8Array): void {
  for (let index = digits.length - 1; index >= 0; index -= 1) {
    if ((digits[index] as number) < 31) {
      digits[index] = (digits[index] as number) + 1;
      return;
    }
    digits[index] = 0;
  }
}
