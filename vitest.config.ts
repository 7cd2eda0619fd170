import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// For the threads and programs that tests start from the sources: stripping types takes longer than most tests, and the
// WebAssembly that does it, run by many threads one after the other, can crash V8 (in Runtime_TierUpWasmToJSWrapper).
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('.cache/compile', import.meta.url));

/** They go by the clock on the wall and mostly wait: `npm test` runs them beside the others. */
const slow = ['test/live/{sandbox,sandbox-day,packed}.test.ts'];

// unit: everything that needs no peer and no sleeping; live: real Postfix, Prosody …; slow: what waits a minute or so;
// long: fuzzing, soak, torture.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,golden,story,store,dialogues,fuzz}/**/*.test.ts', 'test/architecture.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'live',
          include: ['test/live/**/*.test.ts'],
          exclude: slow,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'slow',
          include: slow,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          testTimeout: 3_600_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
