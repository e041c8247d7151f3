import { normalize } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verifies } from "../../test/verifies.ts";
import { parseSecretReference } from "./reference.ts";
import { isUserReference, userReference, userReferenceProblem } from "./user-reference.ts";

const template = "secret://file/run/secrets/mail/{tenant}/{user}.token";

describe("references to a secret of each user", () => {
  it(verifies("AUTH-05", "never name the same file for two users, nor one elsewhere (property)"), () => {
    const name = fc.oneof(
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
      fc.constantFrom("..", ".", "../root", "a/b", "a%2Fb", "{user}", "{tenant}", "$&", "ada", "Ada", "\u0000", "a\\..\\b"),
    );
    const principal = fc.record({ tenant: name, user: name });
    fc.assert(
      fc.property(principal, principal, (one, other) => {
        const [first, second] = [userReference(template, one), userReference(template, other)];
        if (first === undefined || second === undefined) return;
        expect(first === second).toBe(one.tenant === other.tenant && one.user === other.user);
        const { name: path } = parseSecretReference(first);
        expect(normalize(path)).toBe(path);
        expect(path.split("/").slice(0, 4)).toEqual(["", "run", "secrets", "mail"]);
        expect(path.split("/")).toHaveLength(6);
      }),
      { numRuns: 2_000 },
    );
    expect(userReference(template, { tenant: "acme", user: "a/b c" })).toBe("secret://file/run/secrets/mail/acme/a%2Fb%20c.token");
    for (const user of ["..", ".", ""]) expect(userReference(template, { tenant: "acme", user })).toBeUndefined();
  });

  it("are refused where they would not keep users apart", () => {
    expect(userReferenceProblem(template)).toBeUndefined();
    for (const [reference, words] of [
      ["secret://env/TOKEN_{user}", "lies in a file"],
      ["secret://file/run/{user}", "names `{tenant}` not exactly once"],
      ["secret://file/run/{tenant}", "names `{user}` not exactly once"],
      ["secret://file/{user}/{user}/{tenant}", "names `{user}` not exactly once"],
      ["secret://file/run/{tenant}-{user}", "each a segment"],
      ["secret://file/run/x{tenant}/{user}", "each a segment"],
      ["secret://file/run/{tenant}/{user}/{role}", "nothing but"],
    ] as const)
      expect(userReferenceProblem(reference)).toContain(words);
    expect(isUserReference("secret://env/TOKEN")).toBe(false);
  });
});
