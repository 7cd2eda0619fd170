import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// For the threads and programs that tests start from the sources: stripping types takes longer than most tests, and the
// WebAssembly that does it, run by many threads one after the other, can crash V8 (in Runtime_TierUpWasmToJSWrapper).
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('.cache/compile', import.meta.url));

// unit: everything that needs no peer and no sleeping; live: real Postfix, Prosody …; long: fuzzing, soak, torture.
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
