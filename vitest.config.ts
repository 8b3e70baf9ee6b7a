// Tests run in forked processes, as many at once as there are CPUs. The times are bounds for a loaded machine:
// a test that takes nearly as long is wrong.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: '100%', // by default one CPU would be left idle
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ['default', './tests/reporter.ts'],
  },
});
