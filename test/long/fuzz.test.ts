// The parsers of the mail path again, with 100,000 cases each: addresses, commands, headers, replies, reports (DSN, MDN),
// xtext, content in and out, attachments. fast-check prints the seed of what fails; FUZZ_RUNS changes the number.
process.env.FUZZ_RUNS ??= '100000';
await import('../fuzz/mail-parsers.test.ts');
await import('../fuzz/way-out.test.ts');
await import('../fuzz/evidence-parsers.test.ts');
await import('../fuzz/attachments.test.ts');
await import('../unit/smtp/content-parser.test.ts');
