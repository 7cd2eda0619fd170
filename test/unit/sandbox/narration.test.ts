// "ready" comes first, whatever was quicker; programs are told nothing but lines, and trouble goes to standard error.
import { expect, test } from 'vitest';
import { castOf } from '../../../src/sandbox/cast.ts';
import { Messages } from '../../../src/sandbox/messages.ts';
import { narrateForPrograms } from '../../../src/sandbox/narration.ts';
import { type WelcomeFacts, welcome } from '../../../src/sandbox/welcome.ts';
import { parseXml } from '../../../src/sandbox/xmpp-server/xmpp-server.ts';
import { accepted, story } from './story.ts';

const local = (port: number) => ({ host: '127.0.0.1', port });
const cast = castOf({ version: 'x', people: new Map(), groups: new Map(), policies: new Map(), routes: [] });
const facts: WelcomeFacts = {
  ready: {
    smtp: local(2525),
    xmpp: { ...local(5222), domain: 'pointsman.test' },
    http: { url: 'http://127.0.0.1:8025' },
    console: { url: 'http://127.0.0.1:8026' },
    sink: { ...local(40_001), maildir: 'scratch/maildir' },
    groups: [],
    people: [],
  },
  cast,
  password: 'sandbox',
  state: 'scratch/state',
  log: 'scratch/log',
  took: 1_234,
  command: 'npx pointsman',
};

test('for programs: ready first, then what came before it, then the rest, and nothing else', () => {
  const out: string[] = [];
  const errors: string[] = [];
  const messages = new Messages(async () => new Map());
  const narration = narrateForPrograms(messages, {
    write: (text) => out.push(text),
    complain: (text) => errors.push(text),
    columns: null,
  });
  messages.note(accepted);
  narration.event(accepted);
  expect(out).toEqual([]);
  narration.ready(facts);
  for (const event of story.slice(1, 4)) narration.event(event);
  narration.heading('x');
  narration.note(null, 'x');
  narration.stanza(parseXml('<presence/>'), 'alice@pointsman.test/x');
  narration.trouble('no');
  expect(out.every((line) => /^[^\n]*\n$/.test(line))).toBe(true);
  expect(out.map((line) => JSON.parse(line).event)).toEqual(['ready', 'accepted', 'held', 'chosen']);
  expect(errors).toEqual(['pointsman: no\n']);
});

test('with rules that name nobody the welcome promises nothing', () => {
  const text = welcome(facts);
  expect(text).toContain('Pointsman is ready after 1.2 s.');
  expect(text).toContain('The rules name no group.');
  expect(text).not.toMatch(/undefined|log in|Send one more/);
});
