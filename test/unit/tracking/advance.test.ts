import { describe, expect, it } from 'vitest';
import { minute } from '../../../src/clock.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { advance } from '../../../src/tracking/advance.ts';
import { testStart } from '../../support/clock.ts';
import { snapshot, step, tracked } from '../../support/fixtures.ts';

const next = step('next', { kind: 'next' }, { times: 2 });
const room = step('room', { kind: 'room', room: expectBareJid('duty@rooms.example.org') }, { after: 5 * minute });
const boss = step('boss', { kind: 'person', person: 'carol', mailbox: expectMailbox('carol@example.org') });
const steps = [next, room, boss];
const people = ['alice', 'bob', 'dave'];
const everybody = snapshot({ alice: 'available', bob: 'available', dave: 'available' });

describe('the clock of a step runs out', () => {
  it('gives it to the next eligible member, says why not the former, and sets the clock by the step that comes', () => {
    const { tracked: after, move, choice } = advance(tracked(people, steps), 'time', everybody);
    expect(move).toEqual({ kind: 'reassign', step: 'next', person: 'bob', mailbox: 'bob@example.org' });
    expect(after).toMatchObject({
      owner: 'bob',
      ownedSince: testStart,
      step: 0,
      stepTaken: 1,
      revision: 4,
      nextStepAt: testStart + 10 * minute,
    });
    expect(after.tried).toEqual({ alice: 'had it for 10m without an answer' });
    expect(choice?.considered[0]).toMatchObject({
      person: 'alice',
      verdict: 'excluded',
      reason: 'had it for 10m without an answer',
    });
  });

  it('goes on to the following step once this one was taken as often as it says', () => {
    const before = tracked(people, steps, { stepTaken: 1, owner: 'bob', tried: { alice: 'has passed' } });
    const { tracked: after } = advance(before, 'time', everybody);
    expect(after).toMatchObject({ owner: 'dave', step: 1, stepTaken: 0, nextStepAt: testStart + 5 * minute });
  });

  it('skips a step without a target at once, and says so', () => {
    const alone = snapshot({ alice: 'available', bob: 'dnd', dave: 'offline' });
    const { tracked: after, move, skipped } = advance(tracked(people, steps), 'time', alone);
    expect(move).toEqual({ kind: 'room', step: 'room', room: 'duty@rooms.example.org' });
    expect(skipped).toEqual(['next: nobody else is eligible']);
    expect(after).toMatchObject({ owner: 'alice', step: 2, nextStepAt: testStart + 10 * minute });
  });

  it('goes to the person a step names, who owns it then', () => {
    const { tracked: after, move } = advance(tracked(people, steps, { step: 2 }), 'time', everybody);
    expect(move).toEqual({ kind: 'forward', step: 'boss', mailbox: 'carol@example.org', person: 'carol' });
    expect(after).toMatchObject({ owner: 'carol', step: 3, state: 'tracked', nextStepAt: testStart + 10 * minute });
  });

  it('does not ask a named person who has passed', () => {
    const before = tracked(people, steps, { step: 2, tried: { carol: 'has passed' } });
    const { move, skipped } = advance(before, 'time', everybody);
    expect(move).toEqual({ kind: 'expire' });
    expect(skipped).toEqual(['boss: carol has passed']);
  });

  it('expires when every step was taken', () => {
    const { tracked: after, move } = advance(tracked(people, steps, { step: 3, owner: 'carol' }), 'time', everybody);
    expect(move).toEqual({ kind: 'expire' });
    expect(after).toMatchObject({ state: 'expired', nextStepAt: null, owner: 'carol' });
  });

  it('reminds the owner where a step says so', () => {
    const { tracked: after, move } = advance(tracked(people, [step('again', { kind: 'owner' })]), 'time', everybody);
    expect(move).toEqual({ kind: 'remind', step: 'again', person: 'alice' });
    expect(after.owner).toBe('alice');
    expect(after.tried).toEqual({});
  });
});

describe('the owner passes or leaves', () => {
  it.each([
    ['passed', 'has passed'],
    ['owner offline', 'went offline while having it'],
    ['undeliverable', 'their mailbox refused it'],
  ] as const)('%s: the next eligible member at once, without using up a step, with a new clock', (trigger, words) => {
    const { tracked: after, move } = advance(
      tracked(people, steps, { nextStepAt: testStart + minute }),
      trigger,
      everybody,
    );
    expect(move).toMatchObject({ kind: 'reassign', person: 'bob' });
    expect(after).toMatchObject({
      owner: 'bob',
      step: 0,
      stepTaken: 0,
      nextStepAt: testStart + 10 * minute,
      tried: { alice: words },
    });
  });

  it('without anybody eligible takes the next step that has a target, at once, and the owner is free of it', () => {
    const { tracked: after, move } = advance(tracked(people, steps), 'passed', snapshot({ alice: 'available' }));
    expect(move).toMatchObject({ kind: 'room' });
    expect(after).toMatchObject({ owner: null, ownedSince: null, tried: { alice: 'has passed' } });
  });

  it('never gives it back to one who has passed', () => {
    let current = tracked(people, steps);
    const owners: (string | null)[] = [];
    for (let count = 0; count < 5 && current.state === 'tracked'; count += 1) {
      current = advance(current, 'passed', everybody).tracked;
      owners.push(current.owner);
    }
    expect(owners).toEqual(['bob', 'dave', null, 'carol', null]);
    expect(current.state).toBe('expired');
  });

  it('does not remind an owner who has passed', () => {
    const { move, skipped } = advance(tracked(['alice'], [step('again', { kind: 'owner' })]), 'passed', everybody);
    expect(move).toEqual({ kind: 'expire' });
    expect(skipped).toEqual(['again: the owner is out (passed)']);
  });
});

it('gives the same result for the same snapshot', () => {
  const before = tracked(people, steps);
  expect(advance(before, 'time', everybody)).toEqual(advance(before, 'time', everybody));
});
