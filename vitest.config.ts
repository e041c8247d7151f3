import { defineConfig } from "vitest/config";

// The default suite: fast, in-process, no network beyond loopback. Suites that kill processes or take minutes have their own npm script.
export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "scripts/**/*.test.ts", "examples/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/dist/**", "test/crash/**", "test/conformance/**", "test/replicas/**"],
    globals: false,
    // A poll waits for something that is sure to come, and ends as soon as it has: the time only says when it hangs, and a busy machine takes its own.
    expect: { poll: { timeout: 10_000 } },
    // Forks, since several parts (SQLite, signals, child processes) are not safe to share between threads of one process.
    pool: "forks",
    maxWorkers: 2,
    // No test waits for a real clock, so this says only that one hangs. It is far from what the slowest honest ones take (properties over a real database,
    // programs that are started: some seconds on two quiet cores), since a machine that others use gives a test a tenth of that.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/**/*.test.ts", "src/**/*.contract.ts", "src/**/*.fixture.ts"],
      thresholds: { branches: 90 },
    },
  },
});
