import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['support/**/*.test.ts', 'steps/**/*.test.ts'],
    pool: 'threads',
    testTimeout: 60_000,
    // Some tests start processes of their own: no more at a time than the smallest machine has cores.
    maxConcurrency: 2,
  },
});
