import { describe, expect, test } from "vitest";
import { fixedBounds } from "../base/fixed-bounds.ts";
import { verifies } from "../../test/verifies.ts";
import { intentOf, type Intent } from "./intent.ts";
import { UserWords } from "./user-words.ts";

function intent(name: string, said: string, description = "Do it."): Intent {
  const words = new UserWords();
  words.add(said, true);
  return intentOf({ name, description, asks: undefined, tier: "reversible" }, words);
}

describe("a tool whose verb says little", () => {
  test(verifies("AUTH-09", "is asked for by the words for what it handles"), () => {
    const asked: readonly (readonly [tool: string, ...said: string[]])[] = [
      ["bank.send_money", "Can you please pay the bill for me?", "Bezahle bitte die Rechnung für mich", "Zapłać proszę rachunek za prąd"],
      [
        "create_payment",
        "Please pay Nils 20 for the tickets",
        "Paga por favor la factura de la luz",
        "Paie la facture pour moi s'il te plaît",
      ],
      [
        "make_reservation",
        "Reserve a table at the pier for me",
        "Reserviere mir bitte einen Tisch",
        "Zarezerwuj mi proszę stolik na jutro",
      ],
      ["issueRefund", "Refund the order of the customer, please"],
      ["create_comment", "Comment on the ticket that it is done"],
      ["submitReview", "Please leave a review for the hotel in my name"],
    ];
    for (const [tool, ...said] of asked) for (const words of said) expect(intent(tool, words), `${tool}: ${words}`).toBe("asked");
    expect(intent("x1", "please pay the bill for me", "Creates a payment to the recipient.")).toBe("asked");
  });

  test("is not asked for by words for what it only mentions, nor for another kind of thing", () => {
    expect(intent("create_page", "please read the page for me")).toBe("not-asked");
    expect(intent("send_money", "what is the balance of my account?")).toBe("not-asked");
    expect(intent("create_event", "pay the bill for me")).toBe("not-asked");
    const far = Array.from({ length: fixedBounds.handledWordsMax }, () => "quick").join("_");
    expect(intent(`create_${far}_payment`, "pay the bill for me")).toBe("not-asked");
    expect(intent(`create_${far.slice(6)}_payment`, "pay the bill for me")).toBe("asked");
    expect(intent("update_payment", "pay the bill for me")).toBe("not-asked");
  });
});
