// The parsers of the mail path again, with 100,000 cases each: addresses, commands, headers, replies, xtext, content.
// fast-check prints the seed of what fails; FUZZ_RUNS changes the number.
process.env.FUZZ_RUNS ??= '100000';
await import('../fuzz/mail-parsers.test.ts');
await import('../unit/smtp/content-parser.test.ts');
