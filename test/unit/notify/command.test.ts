import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCommand, verbs } from '../../../src/notify/command.ts';

describe('a command', () => {
  it.each([
    ['ack', { verb: 'ack' }],
    ['ACK k7mf', { verb: 'ack', id: 'k7mf' }],
    ['Ack #K7MF.', { verb: 'ack', id: 'k7mf' }],
    ['  pass   k7mf, please', { verb: 'pass', id: 'k7mf' }],
    ['help!', { verb: 'help' }],
    ['pick 2', { verb: 'pick', number: 2 }],
    ['pick k7mf 2', { verb: 'pick', id: 'k7mf', number: 2 }],
    ['k7mf 2', { verb: 'pick', id: 'k7mf', number: 2 }],
    ['2 #k7mf', { verb: 'pick', id: 'k7mf', number: 2 }],
    ['pick bob', { verb: 'pick', name: 'bob' }],
    ['pick k7mf bob', { verb: 'pick', id: 'k7mf', name: 'bob' }],
    ['wähle k7mf 1', { verb: 'pick', id: 'k7mf', number: 1, language: 'de' }],
    ['> #k7mf Mail for support\nack k7mf', { verb: 'ack', id: 'k7mf' }],
    ['\u200back\u00a0k7\u200bmf\ufeff', { verb: 'ack', id: 'k7mf' }],
    ['wa\u0308hle k7mf 1', { verb: 'pick', id: 'k7mf', number: 1, language: 'de' }],
    ['list\nall of them', { verb: 'list' }],
  ])('%j', (body, expected) => {
    expect(parseCommand(body)).toEqual({ kind: 'command', ...expected });
  });

  it.each([
    ['akc k7mf', 'ack'],
    ['acck', 'ack'],
    ['pas', 'pass'],
    ['hepl', 'help'],
  ])('nearly: %j means %s', (body, suggestion) => {
    expect(parseCommand(body)).toEqual({ kind: 'unclear', said: body.split(' ')[0], suggestion });
  });

  it('does not guess far', () => {
    expect(parseCommand('hello there')).toEqual({ kind: 'unclear', said: 'hello' });
  });

  it.each(['', '   ', '\n\n', '> quoted only', '???', 'x'.repeat(401)])('is none: %j', (body) => {
    expect(parseCommand(body)).toBeUndefined();
  });

  it('never throws, and finds only known verbs', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (body) => {
        const command = parseCommand(body);
        if (command?.kind === 'command') expect(verbs).toContain(command.verb);
      }),
    );
  });
});
