import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["@kindling/source"] },
  ssr: { resolve: { conditions: ["@kindling/source"] } },
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
  },
});
