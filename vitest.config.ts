import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['support/**/*.test.ts', 'steps/**/*.test.ts'],
    pool: 'threads',
    // The tests share no state but modules; loading those once a worker instead of once a file takes two thirds off the time.
    isolate: false,
    testTimeout: 60_000,
    // Some tests start processes of their own: no more at a time than the smallest machine has cores.
    maxConcurrency: 2,
  },
});
