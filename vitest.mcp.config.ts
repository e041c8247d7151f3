import { defineConfig } from "vitest/config";

// Programs of others, installed beside the suite: not part of the default one, which needs nothing but the dependencies of the package.
export default defineConfig({
  test: {
    include: ["test/conformance/mcp/*.test.ts"],
    globals: false,
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
