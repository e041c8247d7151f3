import { describe, expect, test } from "vitest";
import { verifies } from "../../test/verifies.ts";
import type { JsonObject } from "../domain/json.ts";
import type { ArgumentRole } from "../domain/tool.ts";
import { argumentLeaves } from "./roles.ts";

function roleOf(field: string, members: readonly string[]): ArgumentRole | undefined {
  const inputSchema: JsonObject = {
    type: "object",
    properties: Object.fromEntries(members.map((name) => [name, { type: "string" }])),
  };
  return argumentLeaves({ argumentRoles: {}, inputSchema }, { [field]: "Quay 4" })[0]?.role;
}

describe("a place", () => {
  test(verifies("AUTH-09", "is told where something with a title, a beginning and an end takes place, and steers everywhere else"), () => {
    for (const event of [
      ["title", "start", "end"],
      ["summary", "startDateTime", "duration_minutes"],
      ["event_name", "begins_at", "ends_at"],
    ])
      for (const place of ["location", "venue", "meetingPlace"]) expect(roleOf(place, [...event, place])).not.toBe("target");
    expect(roleOf("location", ["title", "start", "end", "location"])).toBe("content");
    for (const members of [["start", "end"], ["title", "start"], ["title", "end"], ["item", "delivery_date"], []])
      expect(roleOf("location", [...members, "location"])).toBe("target");
    expect(roleOf("city", ["title", "start", "end", "city"])).toBe("target");
  });

  test("of an object in the arguments is told by that object alone", () => {
    const event = { type: "object", properties: { title: {}, start: {}, end: {}, location: {} } };
    const inputSchema: JsonObject = {
      type: "object",
      properties: { location: { type: "string" }, events: { type: "array", items: event } },
    };
    const leaves = argumentLeaves({ argumentRoles: {}, inputSchema }, { location: "Quay 4", events: [{ location: "Quay 5" }] });
    expect(leaves.map(({ pointer, role }) => [pointer, role])).toEqual([
      ["/location", "target"],
      ["/events/0/location", "content"],
    ]);
  });
});
