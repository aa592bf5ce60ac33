import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'house', include: ['test/house/**/*.test.ts'] } },
      {
        extends: true,
        test: { name: 'unit', include: ['host/**/*.test.ts', 'gates/**/*.test.ts', 'abi/**/*.test.ts'] },
      },
      { extends: true, test: { name: 'plugins', include: ['plugins/**/*.test.ts'] } },
      { extends: true, test: { name: 'e2e', include: ['test/{e2e,conformance,kit}/**/*.test.ts'] } },
      { extends: true, test: { name: 'crash', include: ['test/crash/**/*.test.ts'] } },
      {
        extends: true,
        // The scenario engine runs on a host in memory there.
        resolve: {
          alias: [
            {
              find: /^neira:host\/(\w+)$/,
              replacement: `${import.meta.dirname}/test/model/scenario/neira-$1.ts`,
            },
          ],
        },
        test: { name: 'model', include: ['test/model/**/*.test.ts'] },
      },
      { extends: true, test: { name: 'hostile', include: ['test/hostile/**/*.test.ts'] } },
    ],
  },
});
