// What a log line holds and what it never does.
import { describe, expect, test } from 'vitest';
import { createLog, type LogOptions, logStory, redacted } from '../../../src/log.ts';
import type { QueueId } from '../../../src/mail/queue-id.ts';
import { hostileSubject } from '../../support/fake-operations.ts';

function logged(write: (log: ReturnType<typeof createLog>) => void, options: Partial<LogOptions> = {}): string {
  let text = '';
  const destination = {
    write: (line: string) => {
      text += line;
    },
  };
  write(createLog({ level: 'info', pretty: false, destination, ...options }));
  return text;
}

describe('log', () => {
  test('a line is one JSON object with time, level, message and the queue id of its child', () => {
    const text = logged((log) => log.child({ queueId: 'Q1' }).warn({ tries: 2 }, 'next hop is slow'));
    expect(text.endsWith('\n')).toBe(true);
    const line = JSON.parse(text);
    expect(line).toMatchObject({ level: 'warn', queueId: 'Q1', tries: 2, msg: 'next hop is slow' });
    expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  test('below the level nothing is written, nor are the fields looked at', () => {
    const trap = {
      get costly(): string {
        throw new Error('was read');
      },
    };
    expect(logged((log) => log.debug(trap, 'x'))).toBe('');
    const asked = { costly: () => (trap.costly === '' ? 1 : 2) };
    expect(logged((log) => log.debug(asked, 'x'))).toBe('');
    expect(JSON.parse(logged((log) => log.info({ costly: () => ({ a: 1, password: 'p' }) }, 'x')))).toMatchObject({
      costly: { a: 1, password: redacted },
    });
  });

  test.each([
    'password',
    'Password',
    'secret',
    'token',
    'authorization',
    'subject',
    'body',
    'text',
    'content',
  ])('the field %s is redacted at any depth', (key) => {
    const text = logged((log) =>
      log.child({ [key]: 'LEAK' }).info({ a: [{ b: { [key]: 'LEAK' } }], [key]: 'LEAK' }, 'x'),
    );
    expect(text).not.toContain('LEAK');
    expect(text.split(redacted)).toHaveLength(4);
  });

  test('content is logged when asked for, secrets are not', () => {
    const text = logged((log) => log.info({ subject: 'printer', password: 'LEAK' }, 'x'), { withContent: true });
    expect(text).toContain('printer');
    expect(text).not.toContain('LEAK');
  });

  test('an error is its name, message, code, stack and cause, not what libraries hang on it', () => {
    const error = Object.assign(new Error('refused', { cause: new Error('reset') }), {
      code: 'ECONNREFUSED',
      dialogue: 'AUTH PLAIN LEAK',
    });
    const line = JSON.parse(logged((log) => log.error({ err: error }, 'x')));
    expect(line.err).toMatchObject({
      type: 'Error',
      message: 'refused',
      code: 'ECONNREFUSED',
      cause: { message: 'reset' },
    });
    expect(JSON.stringify(line)).not.toContain('LEAK');
  });

  test('content as octets, cycles and bigints do not break a line', () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    const line = JSON.parse(logged((log) => log.info({ cycle, n: 1n, raw: new Uint8Array(5) }, 'x')));
    expect(line).toMatchObject({ n: '1', raw: '[5 octets]' });
  });

  test.each([true, false])('control characters never come through (pretty: %s)', (pretty) => {
    const text = logged((log) => log.info({ subject: hostileSubject, [hostileSubject]: 1 }, hostileSubject), {
      pretty,
      withContent: true,
    });
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    expect(text).toContain('on fire');
  });

  test('the story is logged by queue id, without its subject', () => {
    const queueId = '01JC5Z0K3F7QX' as QueueId;
    const text = logged((log) => {
      logStory(log, {
        event: 'accepted',
        at: 1,
        queueId,
        from: 'a@b.example',
        to: ['c@d.example'],
        size: 9,
        peer: '::1',
        subject: 'LEAK',
      });
      logStory(log, {
        event: 'fault',
        at: 2,
        queueId,
        fault: 'dead-letter',
        severity: 'error',
        text: 'could not report',
      });
    });
    const [accepted, fault] = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(accepted).toMatchObject({ level: 'info', queueId, event: 'accepted', msg: 'accepted', subject: redacted });
    expect(fault).toMatchObject({ level: 'error', queueId, msg: 'fault dead-letter: could not report' });
  });
});
