import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['support/**/*.test.ts', 'steps/**/*.test.ts'],
    pool: 'threads',
    testTimeout: 30_000,
  },
});
