import { expect, test } from 'vitest';
import { systemRandom } from '../../../src/clock.ts';
import { acceptedAtOf, isQueueId, newQueueId, QueueIds } from '../../../src/mail/queue-id.ts';
import { testStart } from '../../support/clock.ts';

test.each([
  ['good', systemRandom],
  ['poor', () => 0.999_999],
])('no id is given out twice, with %s chance', (_, random) => {
  const ids = new QueueIds(random);
  const given = Array.from({ length: 3_000 }, () => ids.next(testStart));
  expect(new Set(given).size).toBe(3_000);
  expect(given.every(isQueueId)).toBe(true);
  expect(given.every((id) => acceptedAtOf(id) === testStart)).toBe(true);
});

test('the moment of acceptance can be read from it', () => {
  expect(acceptedAtOf(newQueueId(testStart + 17, systemRandom))).toBe(testStart + 17);
});
