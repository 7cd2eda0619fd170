#!/usr/bin/env node
// The command `pointsman`. Plain JavaScript without static imports, so that an old Node reads it to the end and says
// why it will not do: better-sqlite3 crashes there without a word. In a checkout it runs the sources as they are; in
// the packed package, where Node refuses to strip types, the compiled ones.
const needed = 24;
const young = '--max-semi-space-size=4';
// As the GNU C library's allocator has them. See ADR 0011.
const allocator = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072' };
const major = Number(process.versions.node.split('.')[0]);

if (major < needed) {
  process.stderr.write(
    `pointsman needs Node.js ${needed} or later; this is Node.js ${process.versions.node} (${process.execPath}).\n`,
  );
  process.exitCode = 78; // sysexits EX_CONFIG
} else if (startsAgain()) {
  // See ADR 0011: V8 lets its young generation grow to 128 MB unless it is told otherwise when it starts, and the C library
  // keeps what threads and large mails have given back.
  process.execve(process.execPath, [process.execPath, young, ...process.execArgv, ...process.argv.slice(1)], {
    ...allocator,
    ...process.env,
  });
} else {
  if (process.argv[2] === 'serve') tuneV8();
  Promise.all([import('node:fs'), import('node:module'), import('node:url')])
    .then(([{ existsSync }, { enableCompileCache }, { fileURLToPath }]) => {
      if (!existsSync(new URL('../src/main.ts', import.meta.url))) return import('../dist/main.js');
      // What is stripped of its types is kept: it starts in half the time, and the store's thread, which takes it from
      // there, stays clear of the WebAssembly of Node's type stripping. V8 can crash when two threads run that.
      process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../.cache/compile', import.meta.url));
      enableCompileCache(process.env.NODE_COMPILE_CACHE);
      return import('../src/main.ts');
    })
    .then(({ main }) => main(process.argv.slice(2)))
    .catch((error) => {
      process.stderr.write(`pointsman: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = 1;
    });
}

/** Only what runs for long, where the same process can become another program, and nobody has said how it is to be. */
function startsAgain() {
  if (process.argv[2] !== 'serve' || process.platform === 'win32' || typeof process.execve !== 'function') return false;
  return ![...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((text) => text.includes('--max-semi-space-size'));
}

/**
 * See ADR 0011: V8 waits for some 16,000 calls before it compiles a function as well as it can, and then puts little of
 * what that calls into it. What is called once or twice a message, and for months, may be compiled after 3,000, with more
 * of its small steps in one piece. And garbage is collected when the heap has grown by a third, not by two or three times its
 * size: what it takes on the way it does not give back. A young generation of 4 MB, of which little is left each time, is
 * swept sooner by one thread than by five that have to be woken. Said of the V8 that we know; another may not have it.
 */
function tuneV8() {
  if (major !== 24) return;
  const v8 = process.getBuiltinModule('node:v8');
  for (const flag of [
    '--invocation-count-for-maglev=150',
    '--invocation-count-for-turbofan=800',
    '--max-inlined-bytecode-size=1000',
    '--max-inlined-bytecode-size-cumulative=3000',
    '--heap-growing-percent=30',
    '--no-parallel-scavenge',
  ])
    v8.setFlagsFromString(flag);
}
