import { fixedBounds } from "../base/fixed-bounds.ts";

/**
 * The texts under which a secret shows up elsewhere: as it is, percent-encoded, as form data, escaped inside JSON (also JSON inside JSON), in
 * hexadecimal, and in base64 at each of the three alignments it can have inside a longer text, in both alphabets.
 */
export function secretForms(secret: string): readonly string[] {
  if (secret.length < fixedBounds.secretCharsMin) return [];
  const escaped = JSON.stringify(secret).slice(1, -1);
  const forms = new Set([secret, escaped, JSON.stringify(escaped).slice(1, -1)]);
  // A lone surrogate has no percent-encoding.
  if (secret.isWellFormed()) {
    const percent = encodeURIComponent(secret);
    for (const form of [
      percent,
      encodeURI(secret),
      percent.replaceAll("%20", "+"),
      new URLSearchParams([["", secret]]).toString().slice(1),
    ]) {
      forms.add(form);
      forms.add(form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()));
    }
    // Everything that RFC 3986 reserves, as stricter encoders do.
    forms.add(percent.replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`));
  }
  const bytes = Buffer.from(secret, "utf8");
  const hex = bytes.toString("hex");
  forms.add(hex);
  forms.add(hex.toUpperCase());
  for (const form of base64Forms(bytes)) forms.add(form);
  return [...forms].filter((form) => form.length >= fixedBounds.secretCharsMin);
}

function base64Forms(bytes: Buffer): readonly string[] {
  const forms: string[] = [];
  for (let offset = 0; offset < 3; offset += 1) {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    const text = padded.toString("base64").replace(/=+$/, "");
    // Characters that also hold bits of what stands before or after the secret are unknown.
    const first = Math.ceil((offset * 8) / 6);
    const last = Math.floor((padded.length * 8) / 6);
    const known = text.slice(first, last);
    forms.push(known, known.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return forms;
}
