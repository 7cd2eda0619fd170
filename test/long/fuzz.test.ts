// The parsers of the mail path again, with 100,000 cases each: addresses, commands, headers, replies, reports (DSN, MDN),
// xtext, ORCPT, XFORWARD, content in and out, attachments, milters, lookups. FUZZ_RUNS changes the number, FUZZ_SEED
// repeats a run (fast-check prints the seed of what fails), FUZZ_OUT names a file for the record.
import { writeFile } from 'node:fs/promises';
import { afterAll } from 'vitest';

process.env.FUZZ_RUNS ??= '100000';
const { fuzzPage } = await import('../support/fuzz.ts');
await import('../fuzz/mail-parsers.test.ts');
await import('../fuzz/way-out.test.ts');
await import('../fuzz/reply-reader.test.ts');
await import('../fuzz/evidence-parsers.test.ts');
await import('../fuzz/attachments.test.ts');
await import('../fuzz/milter.test.ts');
await import('../fuzz/lookup-wire.test.ts');
await import('../unit/smtp/content-parser.test.ts');
await import('../unit/smtp/line-ends.test.ts');

afterAll(async () => {
  if (process.env.FUZZ_OUT !== undefined) await writeFile(process.env.FUZZ_OUT, fuzzPage());
});
