import { defineConfig } from "vitest/config";

// Several gateways behind a real load balancer on a real PostgreSQL, stopped and killed: minutes, and programs that npm does not bring.
export default defineConfig({
  test: {
    include: ["test/replicas/**/*.test.ts"],
    globalSetup: ["test/replicas/programs.ts"],
    globals: false,
    // A poll waits for something that is sure to come, and ends as soon as it has: the time only says when it hangs, and a busy machine takes its own.
    expect: { poll: { timeout: 10_000 } },
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 420_000,
    hookTimeout: 180_000,
  },
});
