#!/usr/bin/env node
// The command `pointsman`. Plain JavaScript without static imports, so that an old Node reads it to the end and says
// why it will not do: better-sqlite3 crashes there without a word. In a checkout it runs the sources as they are; in
// the packed package, where Node refuses to strip types, the compiled ones.
const needed = 24;
const major = Number(process.versions.node.split('.')[0]);

if (major < needed) {
  process.stderr.write(
    `pointsman needs Node.js ${needed} or later; this is Node.js ${process.versions.node} (${process.execPath}).\n`,
  );
  process.exitCode = 78; // sysexits EX_CONFIG
} else {
  import('node:fs')
    .then(({ existsSync }) =>
      existsSync(new URL('../src/main.ts', import.meta.url)) ? import('../src/main.ts') : import('../dist/main.js'),
    )
    .then(({ main }) => main(process.argv.slice(2)))
    .catch((error) => {
      process.stderr.write(`pointsman: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = 1;
    });
}
