// Runs a plain-text milter dialogue against a session, in memory. A file says what the MTA sends and what it must be
// answered; anything else fails, also an answer too many. Every dialogue is run three times: as written, with all
// packets in one piece, and cut at every octet; the answers must be the same.
//
//   # a comment; the first ones say what the dialogue shows
//   ! few replies             a setting, see below
//   > R "<a@b>" "NOTIFY=NEVER"  a packet: its code and its payload
//   < c                       the packet that answers it
//   < none                    nothing more is answered (always so at the end)
//   END                       the session has ended the connection
//
// Payload: "text" is a string with its NUL (JSON escapes), 'x one octet, #1f a 32-bit number in hex, @25 a 16-bit number,
// x0d0a octets in hex. `raw x…` instead of a code: octets as they are, no packet made of them.
//
// Settings: few replies · no body · accept on failure · connect|helo|sender|headers VERDICT · recipient ADDRESS VERDICT ·
// message ENDVERDICT · later (handlers answer with promises). VERDICT and ENDVERDICT are JSON; "raw" of an edit is text.
// `message throws` and the like: the handler throws.
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Handlers } from '../../../src/milter/handlers.ts';
import type { Verdict } from '../../../src/milter/reply.ts';
import { Session } from '../../../src/milter/session.ts';
import { actions, PacketReader, packet } from '../../../src/milter/wire.ts';

export async function runDialogue(file: string): Promise<void> {
  const script = readScript(file);
  const asWritten = await talk(
    script,
    script.sent.map(({ octets }) => octets),
  );
  for (const [index, { answers, where }] of script.sent.entries())
    expect(asWritten.answersAfter[index], where).toEqual(answers);
  expect(asWritten.ended, `${file}: the connection`).toBe(script.ends);
  const whole = Buffer.concat(script.sent.map(({ octets }) => octets));
  const expected = script.sent.flatMap(({ answers }) => answers);
  expect((await talk(script, [whole])).answersAfter.flat(), `${file}, in one piece`).toEqual(expected);
  const cut = [...whole].map((octet) => Buffer.of(octet));
  expect((await talk(script, cut)).answersAfter.flat(), `${file}, octet by octet`).toEqual(expected);
}

interface Script {
  readonly settings: readonly string[];
  readonly sent: { readonly octets: Buffer; readonly answers: string[]; readonly where: string }[];
  readonly ends: boolean;
}

function readScript(file: string): Script {
  const settings: string[] = [];
  const sent: Script['sent'] = [];
  let ends = false;
  for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    const where = `${file}:${index + 1}`;
    if (line.startsWith('! ')) settings.push(line.slice(2).trim());
    else if (line.startsWith('> ')) sent.push({ octets: octetsOf(line.slice(2)), answers: [], where });
    else if (line.startsWith('< ')) {
      if (line !== '< none') sent.at(-1)?.answers.push(octetsOf(line.slice(2)).toString('latin1'));
    } else if (line === 'END') ends = true;
    else if (!/^(?:#|$)/.test(line)) throw new SyntaxError(`${where}: not a line of a dialogue: ${line}`);
  }
  return { settings, sent, ends };
}

function octetsOf(text: string): Buffer {
  const [code = '', ...tokens] = text.trim().match(/"(?:\\.|[^"\\])*"|\S+/g) ?? [];
  const payload = Buffer.concat(tokens.map(tokenOctets));
  return code === 'raw' ? payload : packet(code.charCodeAt(0), payload);
}

function tokenOctets(token: string): Buffer {
  if (token.startsWith('"')) return Buffer.from(`${JSON.parse(token)}\0`);
  if (token.startsWith("'")) return Buffer.from(token.slice(1), 'latin1');
  if (token.startsWith('x')) return Buffer.from(token.slice(1), 'hex');
  const number = Buffer.alloc(token.startsWith('#') ? 4 : 2);
  if (token.startsWith('#')) number.writeUInt32BE(Number.parseInt(token.slice(1), 16));
  else if (token.startsWith('@')) number.writeUInt16BE(Number(token.slice(1)));
  else throw new SyntaxError(`not a part of a payload: ${token}`);
  return number;
}

async function talk(script: Script, pieces: readonly Buffer[]): Promise<{ answersAfter: string[][]; ended: boolean }> {
  const answersAfter: string[][] = [];
  let ended = false;
  const reader = new PacketReader();
  const handlers = handlersOf(script.settings);
  const named = ['connect', 'helo', 'sender', 'recipient', 'headers'] as const;
  const session = new Session({
    handlers,
    wants: () => ({
      actions: Object.values(actions).reduce((all, one) => all | one, 0),
      decidesAt: new Set(named.filter((name) => handlers[name] !== undefined)),
      body: !script.settings.includes('no body'),
      fewReplies: script.settings.includes('few replies'),
    }),
    onFailure: script.settings.includes('accept on failure') ? 'accept' : 'tempfail',
    write: (octets) => reader.push(octets),
    end: () => {
      ended = true;
    },
    complain: () => undefined,
    largestMessage: 10_000,
    reserve: () => true,
  });
  for (const piece of pieces) {
    session.receive(piece);
    // Promises of handlers settle before what comes next.
    for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
    const answers: string[] = [];
    for (let one = reader.next(); one; one = reader.next())
      answers.push(packet(one.code, one.payload).toString('latin1'));
    answersAfter.push(answers);
  }
  // In one piece with promises, answers come turn by turn.
  for (let turn = 0; turn < 200; turn += 1) await Promise.resolve();
  for (let one = reader.next(); one; one = reader.next())
    answersAfter.at(-1)?.push(packet(one.code, one.payload).toString('latin1'));
  return { answersAfter, ended };
}

function handlersOf(settings: readonly string[]): Handlers {
  const later = settings.includes('later');
  const answer = <T>(text: string): T | Promise<T> => {
    if (text === 'throws') throw new Error('a handler failed');
    const value = JSON.parse(text, (key, inner) => (key === 'raw' || key === 'body' ? Buffer.from(inner) : inner)) as T;
    return later ? Promise.resolve(value) : value;
  };
  const value = (name: string): string | undefined =>
    settings.find((setting) => setting.startsWith(`${name} `))?.slice(name.length + 1);
  const recipients = settings.flatMap((setting) => {
    const [, address, verdict] = /^recipient (\S+) (.*)$/.exec(setting) ?? [];
    return address !== undefined && verdict !== undefined ? [{ address, verdict }] : [];
  });
  const simple = (name: string) => {
    const text = value(name);
    return text === undefined ? {} : { [name]: () => answer<Verdict>(text) };
  };
  return {
    ...simple('connect'),
    ...simple('helo'),
    ...simple('sender'),
    ...simple('headers'),
    ...(recipients.length > 0 && {
      recipient: ({ address }) =>
        answer<Verdict>(recipients.find((one) => one.address === address)?.verdict ?? '{"kind":"continue"}'),
    }),
    message: (message) => {
      const scripted = value('message');
      if (scripted !== undefined) return answer(scripted);
      // What was understood of the message, as headers: the dialogue checks them.
      const facts = [
        message.sender.address,
        ...message.sender.parameters,
        '->',
        ...message.recipients.map((each) => [each.address, ...each.parameters].join(' ')),
      ];
      const text = [
        facts.join(' '),
        message.headerBlock().toString('latin1'),
        message.body()?.toString('latin1') ?? '-',
      ];
      const seen = `${message.client.hostname} ${message.client.address} ${message.client.port} ${message.client.helo} ${message.macro('i') ?? ''}`;
      return {
        verdict: { kind: 'continue' },
        edits: [{ kind: 'add header', name: 'X-Seen', value: JSON.stringify([seen, ...text]) }],
      };
    },
  };
}
