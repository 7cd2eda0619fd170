// Every command about a mail, by every channel, with every outcome. What can be said nowhere is named with the reason, so
// that a command or a channel that is added without a thought makes this fail. The table is docs/reference/commands-matrix.md.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { minute } from '../../../src/clock.ts';
import { ruleSets } from './rules.ts';
import { bot, type Client, escaped, ImSite, room } from './site.ts';

const commands = [
  ...(['ack', 'claim', 'yes', 'pass', 'no', 'release', 'snooze 30m', '10m', 'show', 'why', 'who', 'redirect'] as const),
  ...(['list', 'away', 'back', 'mute', 'unmute', 'help'] as const),
] as const;
/** About oneself, or about all: they name no mail. */
const aboutNone: readonly Command[] = ['list', 'away', 'back', 'mute', 'unmute', 'help'];
/** They only look: at what is over, too. */
const looking: readonly Command[] = ['show', 'why', 'who'];

const channels = ['text', 'reply', 'reaction', 'ad-hoc', 'room'] as const;
const outcomes = ['done', 'too late', 'not yours', 'unknown', 'ambiguous'] as const;
type Command = (typeof commands)[number];
type Channel = (typeof channels)[number];
type Outcome = (typeof outcomes)[number];

/** What says the same as a reaction; none for the others. */
const reactions: Partial<Record<Command, string>> = {
  ack: '👍',
  claim: '👀',
  pass: '👎',
  'snooze 30m': '💤',
  why: '❓',
};

function never(command: Command, channel: Channel, outcome: Outcome): string | undefined {
  if (channel === 'reaction' && reactions[command] === undefined) return 'no sign for it';
  if (channel === 'ad-hoc' && ['yes', 'no', '10m'].includes(command)) return 'as ack, pass, snooze';
  if (aboutNone.includes(command)) {
    if (outcome === 'unknown' && (command === 'mute' || command === 'unmute')) return undefined;
    return outcome === 'done' ? undefined : 'it names no mail';
  }
  if (looking.includes(command) && outcome === 'too late') return 'it tells that it is over';
  if (command === 'who' && (outcome === 'ambiguous' || (channel === 'ad-hoc' && outcome !== 'done')))
    return 'without an id it tells who is there';
  if (command === 'redirect' && channel === 'reply' && outcome !== 'not yours')
    return outcome === 'done' || outcome === 'too late' ? 'nothing asks an operator for it' : 'it points at one';
  const pointed = channel === 'reply' || channel === 'reaction';
  if (pointed && (outcome === 'unknown' || outcome === 'ambiguous')) return 'it points at one';
  return undefined;
}

/** With which the answer is recognised. */
const done: Readonly<Record<Command, RegExp>> = {
  ack: /is yours|is taken by alice/,
  claim: /is yours|is taken by alice/,
  yes: /is yours|is taken by alice/,
  pass: /is off your hands; bob is asked now/,
  no: /is off your hands; bob is asked now/,
  // What was only given to somebody, and not taken by them, goes on to the next one.
  release: /is open again|is off your hands/,
  'snooze 30m': /is quiet until|is yours; I shall not ask before/,
  '10m': /is yours; I shall not ask before/,
  show: /#\w{4} “x”\nAnn <ann@example\.net>/,
  why: /Why #\w{4}, with alice:\n/,
  who: /#\w{4}: with alice|support: alice available/,
  redirect: /goes to bob now/,
  list: /With you:\n1\. #/,
  away: /You get no new mail until you say back/,
  back: /Welcome back/,
  mute: /I tell you nothing about support any more/,
  unmute: /I tell you about support again/,
  help: /I give mail for a group to the member who is there/,
};
const others: Readonly<Record<Exclude<Outcome, 'done' | 'ambiguous'>, RegExp>> = {
  'too late': /already acknowledged by alice/,
  'not yours': /is not yours: it is for the members of support/,
  unknown: /I know of no mail #/,
};

function refusalOf(command: Command, outcome: Exclude<Outcome, 'done' | 'ambiguous'>): RegExp {
  if (command === 'redirect' && outcome === 'not yours') return /Only an operator may redirect/;
  return aboutNone.includes(command) ? /You are in no group “nowhere”/ : others[outcome];
}

/** What follows the verb besides an id. */
function restOf(command: Command, outcome: Outcome): string {
  if (command === 'redirect') return 'bob';
  if (command !== 'mute' && command !== 'unmute') return command.split(' ')[1] ?? '';
  return outcome === 'unknown' ? 'nowhere' : 'support';
}

let site: ImSite;
let table = new Map<string, string>();
beforeAll(async () => {
  table = new Map();
  site = await ImSite.open({ rules: ruleSets.standard ?? '', people: ['alice', 'bob', 'dave', 'carol'] });
});
afterAll(() => site[Symbol.asyncDispose]());

interface Mail {
  readonly id: string;
  readonly queueId: string;
}

/** Everything that is open is closed, and a minute is over: no limit of the cell before counts in this one. */
async function fresh(): Promise<void> {
  for (const tracked of await site.store.openTracked({})) await site.relay.acknowledge(tracked, 'test', 'cli');
  await site.settled();
  await site.clock.advance(minute);
  await site.quiet();
}

async function mailWithAlice(): Promise<Mail> {
  const mail = await site.mail('support@example.org', 'x');
  await site.until('told', () => site.client('alice').got.some(({ text }) => text.includes(`#${mail.id} `)));
  return mail;
}

function say(
  client: Client,
  command: Command,
  channel: Channel,
  mail: Mail | null,
  { stanza, rest }: { readonly stanza: string; readonly rest: string },
): void {
  const id = mail?.id ?? '';
  const [verb = ''] = command.split(' ');
  switch (channel) {
    case 'text':
      client.message(`${verb} ${id} ${rest}`);
      break;
    case 'room':
      client.message(`!${verb} ${id} ${rest}`, '', room, 'groupchat');
      break;
    case 'reply':
      client.message(`${verb} ${rest}`, `<reply xmlns='urn:xmpp:reply:0' id='${escaped(stanza)}'/>`);
      break;
    case 'reaction':
      client.say(
        `<message to='${bot}' type='chat' id='r${id}'><reactions xmlns='urn:xmpp:reactions:0' id='${escaped(stanza)}'><reaction>${reactions[command]}</reaction></reactions></message>`,
      );
      break;
    case 'ad-hoc': {
      const mailField = mail ? `<field var='mail'><value>${mail.queueId}.0.${site.clock.now()}.</value></field>` : '';
      const name = verb === 'snooze' ? 'lasting' : 'name';
      const time = rest === '' ? '' : `<field var='${name}'><value>${rest}</value></field>`;
      client.say(
        `<iq type='set' to='${bot}/pm' id='adhoc-${Math.random()}'><command xmlns='http://jabber.org/protocol/commands' node='pointsman#${verb}' action='complete'><x xmlns='jabber:x:data' type='submit'>${mailField}${time}</x></command></iq>`,
      );
      break;
    }
    default:
      channel satisfies never;
  }
}

const cells = commands.flatMap((command) =>
  channels.flatMap((channel) => outcomes.map((outcome) => ({ command, channel, outcome }))),
);
const possible = cells.filter(({ command, channel, outcome }) => never(command, channel, outcome) === undefined);

describe('command by channel by outcome', () => {
  it.each(possible)('$command by $channel: $outcome', async ({ command, channel, outcome }) => {
    await fresh();
    let mail: Mail | null = await mailWithAlice();
    if (outcome === 'ambiguous') await mailWithAlice();
    const stanza = site.client('alice').about(mail.id).stanza.attrs.id ?? '';
    const real = mail;
    if (outcome === 'too late') {
      site.client('alice').message(`ack ${mail.id}`);
      await site.until('closed', async () => (await site.store.openTracked({})).length === 0);
      await site.quiet();
    }
    if (outcome === 'unknown') mail = { id: 'k7k7', queueId: '0000000000000' };
    if (outcome === 'ambiguous' || aboutNone.includes(command)) mail = null;
    if (command === 'back') site.client('alice').message('away');
    await site.quiet();
    const operator = command === 'redirect';
    const client = site.client(outcome === 'not yours' ? (operator ? 'alice' : 'dave') : operator ? 'carol' : 'alice');
    const listener = channel === 'room' ? site.client('eve') : client;
    const heard = listener.got.length;
    say(client, command, channel, mail, { stanza, rest: restOf(command, outcome) });
    const wanted =
      outcome === 'done'
        ? done[command]
        : outcome === 'ambiguous'
          ? /^Which one\?|^\(form\) mail/
          : refusalOf(command, outcome);
    const answer = () => listener.got.slice(heard).map(({ text }) => text);
    await site.until('an answer', () => answer().length > 0);
    await site.quiet();
    expect(
      answer().some((text) => wanted.test(text)),
      answer().join('\n'),
    ).toBe(true);
    // What is refused changes nothing.
    const tracked = (await site.store.message(real.queueId as never))?.tracked[0];
    if (outcome === 'not yours' || outcome === 'unknown' || outcome === 'ambiguous')
      expect(tracked).toMatchObject({ state: 'tracked', owner: 'alice' });
    if (command === 'away') site.client('alice').message('back');
    if (command === 'mute') site.client('alice').message('unmute support');
    table.set(`${command} ${channel} ${outcome}`, 'yes');
  });

  it('is the table of docs/reference/commands-matrix.md', async () => {
    const rows = commands.flatMap((command) =>
      channels.map((channel) => {
        const row = outcomes.map(
          (outcome) => table.get(`${command} ${channel} ${outcome}`) ?? `never: ${never(command, channel, outcome)}`,
        );
        return `| ${command} | ${channel} | ${row.join(' | ')} |`;
      }),
    );
    const text = [
      '# Commands by instant message: every channel, every outcome',
      '',
      'Made by `npx vitest run test/dialogues/im/matrix.test.ts -u`, which runs each cell; do not edit. `yes`: it was run and',
      'answered so. `pick` needs a proposal: its dialogues, and those behind the others, are in [commands](commands.md).',
      '',
      `| command | channel | ${outcomes.join(' | ')} |`,
      `|---|---|${outcomes.map(() => '---|').join('')}`,
      ...rows,
      '',
    ].join('\n');
    await expect(text).toMatchFileSnapshot('../../../docs/reference/commands-matrix.md');
  });
});
