import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['support/**/*.test.ts', 'steps/**/*.test.ts'],
    pool: 'threads',
    // The tests share no state but modules; loading those once a worker instead of once a file takes two thirds off the time.
    isolate: false,
    // One worker a core of the smallest machine; vitest by itself would leave one core idle.
    minWorkers: 2,
    maxWorkers: 2,
    setupFiles: ['support/tests.setup.ts'],
    testTimeout: 60_000,
    // Some tests start processes of their own: no more at a time than the smallest machine has cores.
    maxConcurrency: 2,
  },
});
