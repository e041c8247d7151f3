import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { verifies } from "../verifies.ts";
import { startProgram } from "./program.ts";

test(verifies("OPS-02", "the example with three gateways shows what it says"), async () => {
  const example = startProgram(process.execPath, [fileURLToPath(new URL("../../examples/replicas/start.ts", import.meta.url))]);
  const { code } = await example.exited;
  expect(example.said()).toContain("2  parcels sent: 1");
  expect(code).toBe(0);
});
