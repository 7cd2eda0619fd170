// Rules read anew on somebody's word: who waits for it goes on when they are in force, not when it has begun.
import { expect, test } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { parseRules } from '../../src/routing/load.ts';
import { createRuleBook, reloadAndLog } from '../../src/rule-book.ts';
import { settle } from '../support/clock.ts';

const written = (member: string) =>
  parseRules([{ name: 'rules/a.yaml', text: `people: { ${member}: { mail: ${member}@example.org } }` }]);
const peopleOf = (book: ReturnType<typeof createRuleBook>) => [...book.current().people.keys()];

test('reading the rules anew is over when they are in force', async () => {
  const reading = Promise.withResolvers<ReturnType<typeof written>>();
  const { rules } = written('alice');
  if (!rules) throw new Error('no rules');
  const book = createRuleBook(rules, [], () => reading.promise);
  let over = false;
  const reloading = reloadAndLog(book, silentLog, 'a test').then(() => {
    over = true;
  });
  await settle();
  expect([over, peopleOf(book)]).toEqual([false, ['alice']]);
  reading.resolve(written('bob'));
  await reloading;
  expect(peopleOf(book)).toEqual(['bob']);
});

test('and when they could not be read: the last good ones stay', async () => {
  const { rules } = written('alice');
  if (!rules) throw new Error('no rules');
  const book = createRuleBook(rules, [], async () => {
    throw new Error('EIO');
  });
  await reloadAndLog(book, silentLog, 'a test');
  expect(peopleOf(book)).toEqual(['alice']);
});
