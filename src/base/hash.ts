import { hash } from "node:crypto";

/** SHA-256 as 64 lower-case hexadecimal characters. */
export function sha256Hex(data: string | NodeJS.ArrayBufferView): string {
  return hash("sha256", data, "hex");
}

/** SHA-256 as 32 bytes. */
export function sha256(data: string | NodeJS.ArrayBufferView): Buffer {
  return hash("sha256", data, "buffer");
}
