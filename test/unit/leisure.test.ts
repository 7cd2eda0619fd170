import { expect, test, vi } from 'vitest';
import { createLeisure } from '../../src/leisure.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('what nobody waits for is done after what is sent to the disk in the same turn, in its order', async () => {
  const { later, meanwhile } = createLeisure();
  const done: string[] = [];
  later(() => done.push('one'));
  later(() => done.push('two'));
  setImmediate(() => done.push('sent'));
  meanwhile();
  await turn();
  expect(done).toEqual(['sent', 'one', 'two']);
});

test('it is not done at the end of a turn in which nothing is sent', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const { later, meanwhile } = createLeisure();
    const done: string[] = [];
    meanwhile();
    later(() => done.push('one'));
    await turn();
    expect(done).toEqual([]);
    vi.advanceTimersByTime(2);
    expect(done).toEqual(['one']);
    // Once only.
    meanwhile();
    await turn();
    vi.advanceTimersByTime(10);
    expect(done).toEqual(['one']);
  } finally {
    vi.useRealTimers();
  }
});

test('what is asked for while it is done comes the next time', async () => {
  const { later, meanwhile } = createLeisure();
  const done: string[] = [];
  later(() => {
    done.push('one');
    later(() => done.push('two'));
    meanwhile();
  });
  meanwhile();
  await turn();
  expect(done).toEqual(['one']);
  await turn();
  expect(done).toEqual(['one', 'two']);
});
