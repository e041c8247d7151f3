import { defineConfig } from "vitest/config";

// Real processes, really killed: minutes, not seconds, so not part of the default suite.
export default defineConfig({
  test: {
    include: ["test/crash/**/*.test.ts"],
    globals: false,
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 480_000,
    hookTimeout: 30_000,
  },
});
