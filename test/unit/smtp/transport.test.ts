// What becomes of each recipient, whatever the next hop does. The members of nodemailer's connection that we reach into
// are covered here: another version that names them otherwise fails these tests.
import { afterEach, describe, expect, test } from 'vitest';
import { minute } from '../../../src/clock.ts';
import type { ForwardPath } from '../../../src/mail/envelope.ts';
import { expectMailbox } from '../../../src/mail/path.ts';
import { createTransport } from '../../../src/smtp/transport.ts';
import type { NextHop, Outcome, Shipment, Transport } from '../../../src/transport.ts';
import { TestClock } from '../../support/clock.ts';
import { type Script, ScriptedHop } from './scripted-hop.ts';

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Bench {
  readonly hop: ScriptedHop;
  readonly nextHop: NextHop;
  readonly transport: Transport;
  readonly clock: TestClock;
  ship(shipment?: Partial<Shipment>, options?: Partial<Parameters<Transport['ship']>[2]>): Promise<readonly Outcome[]>;
}

async function bench(script: Script = {}, settings: Partial<NextHop> = {}): Promise<Bench> {
  const hop = new ScriptedHop(script);
  const port = await hop.listen();
  const clock = new TestClock();
  const transport = createTransport({ hostname: 'relay.example', clock });
  const nextHop: NextHop = { name: 'hop', host: '127.0.0.1', port, tls: 'none', maxConnections: 2, ...settings };
  ends.push(
    () => hop.close(),
    () => transport.close(),
  );
  const ship: Bench['ship'] = (shipment, options) =>
    transport.ship(nextHop, letter(shipment), {
      signal: new AbortController().signal,
      onFinalDot: async () => undefined,
      ...options,
    });
  return { hop, nextHop, transport, clock, ship };
}

function letter(parts: Partial<Shipment> = {}): Shipment {
  return {
    queueId: '0123456789ABC',
    envelope: { reversePath: expectMailbox('a@example.org'), body: '7BIT', smtputf8: false },
    recipients: to('x@example.com'),
    prepend: 'Received: here\r\n',
    content: Buffer.from('Subject: x\r\n\r\nHi.\r\n'),
    ...parts,
  };
}

function to(...addresses: string[]): ForwardPath[] {
  return addresses.map((address) => ({ mailbox: expectMailbox(address) }));
}

const commands = (hop: ScriptedHop, verb: string): string[] => hop.lines.filter((line) => line.startsWith(verb));

describe('an accepted message', () => {
  test('arrives as it was, below what is prepended, with dots stuffed', async () => {
    const { hop, ship } = await bench();
    const content = Buffer.from('.dot\r\nSubject: x\r\n\r\n.\r\n..\r\nend\r\n');
    expect(await ship({ content })).toEqual([
      { kind: 'accepted', reply: { code: 250, enhanced: '2.0.0', text: 'Ok: queued' }, dsn: true },
    ]);
    expect(hop.contents).toEqual(['Received: here\r\n..dot\r\nSubject: x\r\n\r\n..\r\n...\r\nend\r\n']);
  });

  test('of many pieces arrives whole, lines that start a piece with a dot included', async () => {
    const { hop, ship } = await bench();
    // Each piece of 65536 octets begins with a dot at the start of a line.
    const piece = `.${'x'.repeat(65_536 - 3)}\r\n`;
    await ship({ content: Buffer.from(piece.repeat(3)), prepend: '' });
    expect(hop.contents[0]).toBe(`.${piece}`.repeat(3));
  });

  test('by two ways leaves the null reverse-path and quoted local parts as they are', async () => {
    const { hop, ship } = await bench();
    const outcomes = await ship({
      envelope: { reversePath: '<>', body: '7BIT', smtputf8: false },
      recipients: to('"a b"@example.com', '"x>y<z"@example.com', 'a@xn--bcher-kva.example'),
    });
    expect(outcomes.map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'accepted']);
    expect(commands(hop, 'MAIL')).toEqual([expect.stringMatching(/^MAIL FROM:<>(?: SIZE=\d+)?$/)]);
    expect(commands(hop, 'RCPT')).toEqual([
      'RCPT TO:<"a b"@example.com>',
      'RCPT TO:<"x>y<z"@example.com>',
      'RCPT TO:<a@xn--bcher-kva.example>',
    ]);
  });

  test('is announced before its final dot, and the dot waits', async () => {
    const seen: string[] = [];
    const { ship } = await bench({
      onContent: (text) => {
        if (text.endsWith('\r\n.\r\n')) seen.push('dot');
      },
    });
    await ship(
      {},
      {
        onFinalDot: async () => {
          await new Promise((resolve) => setImmediate(resolve));
          seen.push('recorded');
        },
      },
    );
    expect(seen).toEqual(['recorded', 'dot']);
  });

  test('is not finished when the announcement cannot be recorded', async () => {
    const { hop, ship } = await bench();
    const failing = { onFinalDot: () => Promise.reject(new Error('disk full')) };
    expect(await ship({}, failing)).toEqual([{ kind: 'temporary', cause: 'final dot withheld: disk full' }]);
    await hop.until(() => hop.open === 0);
    expect(hop.contents).toEqual([]);
  });
});

describe('each recipient', () => {
  const mixed = (line: string): string | undefined => {
    if (line.includes('none@')) return '550-5.1.1 No such user\r\n550 5.1.1 here';
    if (line.includes('busy@')) return '450 4.2.1 Busy';
    return undefined;
  };

  for (const extensions of [['PIPELINING', '8BITMIME'], ['8BITMIME']]) {
    test(`gets its own outcome, ${extensions.length > 1 ? 'pipelined' : 'one by one'}`, async () => {
      const { ship } = await bench({ answer: mixed, extensions });
      expect(await ship({ recipients: to('none@a.example', 'x@a.example', 'busy@a.example', 'y@a.example') })).toEqual([
        {
          kind: 'permanent',
          reply: { code: 550, enhanced: '5.1.1', text: 'No such user here' },
          cause: 'recipient refused',
        },
        { kind: 'accepted', reply: { code: 250, enhanced: '2.0.0', text: 'Ok: queued' }, dsn: false },
        { kind: 'temporary', reply: { code: 450, enhanced: '4.2.1', text: 'Busy' }, cause: 'recipient refused' },
        { kind: 'accepted', reply: { code: 250, enhanced: '2.0.0', text: 'Ok: queued' }, dsn: false },
      ]);
    });
  }

  test('keeps its own refusal when the message is refused after the final dot', async () => {
    const { ship } = await bench({ answer: mixed, dot: () => '451 4.3.0 Try later' });
    const outcomes = await ship({ recipients: to('none@a.example', 'x@a.example') });
    expect(outcomes.map(({ kind, reply }) => [kind, reply?.code])).toEqual([
      ['permanent', 550],
      ['temporary', 451],
    ]);
  });

  test('is refused when all are, and the connection serves the next message', async () => {
    const { hop, ship } = await bench({ answer: mixed }, { maxConnections: 1 });
    const outcomes = await ship({ recipients: to('none@a.example', 'busy@a.example') });
    expect(outcomes.map(({ kind }) => kind)).toEqual(['permanent', 'temporary']);
    await hop.until(() => commands(hop, 'RSET').length === 1);
    expect((await ship())[0]?.kind).toBe('accepted');
    expect(hop.connections).toBe(1);
  });

  test('is temporary with a 552 for one of several: too many for now', async () => {
    const { ship } = await bench({ answer: (line) => (line.includes('y@') ? '552 Too many recipients' : undefined) });
    const outcomes = await ship({ recipients: to('x@a.example', 'y@a.example') });
    expect(outcomes.map(({ kind }) => kind)).toEqual(['accepted', 'temporary']);
  });
});

describe('a refusal', () => {
  test('of the sender is permanent with 5xx, temporary with 4xx', async () => {
    for (const [reply, kind] of [
      ['553 5.1.8 no', 'permanent'],
      ['451 4.7.1 greylisted', 'temporary'],
    ] as const) {
      const { ship } = await bench({ answer: (line) => (line.startsWith('MAIL') ? reply : undefined) });
      expect((await ship())[0]).toMatchObject({ kind, reply: { code: Number(reply.slice(0, 3)) } });
    }
  });

  test('of DATA counts for those who were accepted', async () => {
    const { ship } = await bench({ answer: (line) => (line === 'DATA' ? '554 5.7.1 no' : undefined) });
    expect((await ship())[0]).toMatchObject({ kind: 'permanent', reply: { code: 554, enhanced: '5.7.1' } });
  });

  test('after the final dot is the answer', async () => {
    const { ship } = await bench({ dot: () => '554 5.6.0 no' });
    expect((await ship())[0]).toMatchObject({ kind: 'permanent', reply: { code: 554 } });
  });

  test('of the session is temporary, also with 5xx: it is not about the message', async () => {
    const { ship } = await bench({ greeting: '554 5.7.1 go away' });
    expect((await ship())[0]).toMatchObject({ kind: 'temporary', reply: { code: 554, enhanced: '5.7.1' } });
  });

  test('with 421 is temporary wherever it comes', async () => {
    for (const verb of ['EHLO', 'MAIL', 'RCPT', 'DATA']) {
      const { ship } = await bench({ answer: (line) => (line.startsWith(verb) ? '421 4.3.2 closing' : undefined) });
      expect((await ship())[0], verb).toMatchObject({ kind: 'temporary', reply: { code: 421 } });
    }
    const { ship } = await bench({ dot: () => '421 4.3.2 closing' });
    expect((await ship())[0]).toMatchObject({ kind: 'temporary', reply: { code: 421 } });
  });
});

describe('a lost connection', () => {
  test('before the greeting, at a command or in the content is temporary', async () => {
    for (const script of [
      { greeting: 'drop' },
      { answer: (line: string) => (line.startsWith('EHLO') ? 'drop' : undefined) },
      { answer: (line: string) => (line.startsWith('RCPT') ? 'drop' : undefined) },
      { onContent: (_: string, socket: { resetAndDestroy(): void }) => socket.resetAndDestroy() },
    ] as Script[]) {
      const { ship } = await bench(script);
      const [outcome] = await ship({ content: Buffer.alloc(900_000, 'x\r\n') });
      expect(outcome).toMatchObject({ kind: 'temporary' });
      expect(outcome).not.toHaveProperty('reply');
    }
  });

  test('after the final dot says that there may be a duplicate', async () => {
    const { ship } = await bench({ dot: () => 'drop' });
    expect(await ship()).toEqual([{ kind: 'temporary', cause: expect.stringContaining('possible duplicate') }]);
  });

  test('and no connection at all are temporary', async () => {
    const { hop, ship } = await bench();
    await hop.close();
    expect(await ship()).toEqual([{ kind: 'temporary', cause: expect.stringContaining('ECONNREFUSED') }]);
  });
});

describe('nonsense', () => {
  test('as a reply is temporary', async () => {
    const nonsense = ['hello there', '999 what', '\x00\xff\xfe', '25', '2', '250-never ends'];
    for (const reply of nonsense) {
      for (const verb of ['MAIL', 'RCPT', 'DATA']) {
        const { ship, clock } = await bench({ answer: (line) => (line.startsWith(verb) ? reply : undefined) });
        const shipping = ship();
        await clock.untilSleeping();
        const late = setTimeout(() => void clock.advance(60 * minute), 50);
        const [outcome] = await shipping;
        clearTimeout(late);
        // `25` and `2` start as a success does; nodemailer reads on.
        if (!/^2/.test(reply)) expect(outcome?.kind, `${reply} to ${verb}`).toBe('temporary');
      }
    }
  }, 20_000);

  test('as the last reply is no acceptance', async () => {
    for (const reply of ['thanks a lot', '2', '2500 fine', '25x']) {
      const { ship } = await bench({ dot: () => reply });
      expect((await ship())[0], reply).toMatchObject({ kind: 'temporary', cause: expect.stringContaining('') });
    }
  });

  test('without end is cut off', async () => {
    const { ship } = await bench({
      answer: (line) => (line.startsWith('MAIL') ? `250-${'x'.repeat(1_000)}\r\n`.repeat(100) : undefined),
    });
    expect((await ship())[0]?.kind).toBe('temporary');
  });
});

describe('time', () => {
  test('silence ends at the deadline of the transaction, wherever it falls', async () => {
    for (const script of [
      { greeting: null },
      { answer: (line: string) => (line.startsWith('RCPT') ? null : undefined) },
      { dot: () => null },
    ] as Script[]) {
      const { hop, ship, clock } = await bench(script);
      const shipping = ship();
      await hop.until(() => hop.connections === 1 && (script.greeting === null || hop.lines.length > 2));
      if (script.dot) await hop.until(() => hop.contents.length === 1);
      await clock.advance(31 * minute);
      expect((await shipping)[0]).toMatchObject({ kind: 'temporary' });
      await hop.until(() => hop.open === 0);
    }
  });

  test('an abort ends it at once', async () => {
    const { hop, ship } = await bench({ answer: (line) => (line.startsWith('MAIL') ? null : undefined) });
    const stop = new AbortController();
    const shipping = ship({}, { signal: stop.signal });
    await hop.until(() => hop.lines.length > 1);
    stop.abort();
    expect((await shipping)[0]?.kind).toBe('temporary');
    expect((await ship({}, { signal: stop.signal }))[0]?.kind).toBe('temporary');
  });
});

describe('connections', () => {
  test('are kept and used again, then closed when idle', async () => {
    const { hop, ship, clock } = await bench();
    await ship();
    await ship();
    expect(hop.connections).toBe(1);
    expect(commands(hop, 'EHLO')).toEqual(['EHLO relay.example']);
    await clock.advance(31_000);
    await hop.until(() => hop.open === 0);
    expect(hop.lines.at(-1)).toBe('QUIT');
    expect((await ship())[0]?.kind).toBe('accepted');
    expect(hop.connections).toBe(2);
  });

  test('that were kept and are dead are replaced silently, once', async () => {
    const { hop, ship } = await bench({
      answer: (line, connection) =>
        connection === 1 && hop.contents.length === 1 && line.startsWith('MAIL') ? 'drop' : undefined,
    });
    await ship();
    expect((await ship())[0]?.kind).toBe('accepted');
    expect(hop.connections).toBe(2);
  });

  test('that were kept and say 421 are replaced silently', async () => {
    const { hop, ship } = await bench({
      answer: (line, connection) =>
        connection === 1 && hop.contents.length === 1 && line.startsWith('MAIL') ? '421 4.4.2 timed out' : undefined,
    });
    await ship();
    expect((await ship())[0]?.kind).toBe('accepted');
    expect(hop.connections).toBe(2);
  });

  test.each([
    true,
    false,
  ])('that take no more mail (452 to MAIL) are replaced silently; pipelined: %s', async (pipelined) => {
    // OpenSMTPD after as many messages as it takes on one connection.
    const served = new Map<number, number>();
    const { hop, ship } = await bench({
      extensions: pipelined ? ['PIPELINING'] : [],
      answer: (line, connection) =>
        line.startsWith('MAIL') && (served.get(connection) ?? 0) >= 2 ? '452 4.5.3 Too many messages sent' : undefined,
      dot: (_, connection) => {
        served.set(connection, (served.get(connection) ?? 0) + 1);
        return undefined;
      },
    });
    for (let count = 0; count < 5; count += 1) expect((await ship())[0]?.kind).toBe('accepted');
    expect(hop.connections).toBe(3);
    await hop.until(() => hop.open === 1);
    expect(hop.lines.filter((line) => line === 'QUIT')).toHaveLength(2);
  });

  test('that are fresh and refuse the sender for now are not replaced', async () => {
    const { hop, ship } = await bench({
      answer: (line) => (line.startsWith('MAIL') ? '452 4.3.1 No room' : undefined),
    });
    expect((await ship())[0]?.kind).toBe('temporary');
    expect(hop.connections).toBe(1);
  });

  test('on which one reply too many came with the last are not used: it would shift those of the next message', async () => {
    const { ship, hop } = await bench({
      answer: (line) => (line === 'RCPT TO:<no@example.com>' ? '550 5.1.1 nobody' : undefined),
      dot: (_, connection) => (connection === 1 ? '250 2.0.0 taken\r\n250 2.0.0 and again' : undefined),
    });
    await ship();
    const outcomes = await ship({ recipients: to('x@example.com', 'no@example.com') });
    expect(outcomes.map(({ kind }) => kind)).toEqual(['accepted', 'permanent']);
    expect(hop.connections).toBe(2);
  });

  test('on which the content was accepted before it ended lose no message by it', async () => {
    let finalDots = 0;
    const { ship, hop } = await bench({
      answer: (line) => (line === 'DATA' ? '354 go on\r\n250 2.0.0 taken' : undefined),
      dot: () => '451 4.3.0 could not store it',
    });
    const outcomes = await ship({}, { onFinalDot: async () => void finalDots++ });
    expect(outcomes).toMatchObject([{ kind: 'temporary' }]);
    // It was never said to be whole, so it cannot be there twice.
    expect({ finalDots, contents: hop.contents }).toEqual({ finalDots: 0, contents: [] });
  });

  test('on which the content was refused before it ended: that is the answer', async () => {
    const { ship } = await bench({
      answer: (line) => (line === 'DATA' ? '354 go on\r\n554 5.7.1 not this' : undefined),
    });
    expect(await ship()).toMatchObject([{ kind: 'permanent', reply: { code: 554, enhanced: '5.7.1' } }]);
  });

  test('of a next hop that never stops speaking are lost, before memory is', async () => {
    const { ship } = await bench({
      extensions: ['PIPELINING'],
      onContent: (_, socket) => {
        // It listens no more, so there is no end of the content at which it would be found out.
        socket.pause();
        socket.write('250 ok\r\n'.repeat(200_000));
      },
    });
    const [outcome] = await ship({ content: Buffer.from('x\r\n'.repeat(8_000_000)) });
    expect(outcome).toMatchObject({ kind: 'temporary', cause: 'replies to nothing' });
  });

  test('closed by the next hop while kept are not used', async () => {
    const { hop, ship } = await bench();
    await ship();
    hop.dropAll();
    await hop.until(() => hop.open === 0);
    expect((await ship())[0]?.kind).toBe('accepted');
    expect(hop.connections).toBe(2);
  });

  test('lost on a fresh connection are not tried again', async () => {
    const { hop, ship } = await bench({ answer: (line) => (line.startsWith('MAIL') ? 'drop' : undefined) });
    expect((await ship())[0]?.kind).toBe('temporary');
    expect(hop.connections).toBe(1);
  });

  test('lost when something of the message was answered are not tried again', async () => {
    const { hop, ship } = await bench({
      extensions: ['8BITMIME'],
      answer: (line) => (hop.contents.length === 1 && line === 'DATA' ? 'drop' : undefined),
    });
    await ship();
    expect((await ship())[0]?.kind).toBe('temporary');
    expect(hop.connections).toBe(1);
  });

  test('are no more than configured; who finds none waits', async () => {
    const { hop, ship } = await bench();
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => ship()));
    expect(outcomes.flat().map(({ kind }) => kind)).toEqual(Array(10).fill('accepted'));
    expect(hop.connections).toBe(2);
  });

  test('that are all busy let the waiting one go at its abort', async () => {
    const { hop, ship } = await bench({ dot: () => null }, { maxConnections: 1 });
    const first = new AbortController();
    const second = new AbortController();
    const shipping = ship({}, { signal: first.signal });
    await hop.until(() => hop.contents.length === 1);
    const waiting = ship({}, { signal: second.signal });
    second.abort();
    expect(await waiting).toEqual([{ kind: 'temporary', cause: 'no connection free in time' }]);
    first.abort();
    await shipping;
  });

  test('are given up when the transport closes', async () => {
    const { hop, ship, transport } = await bench();
    await ship();
    await transport.close();
    await hop.until(() => hop.open === 0);
    expect(await ship()).toEqual([{ kind: 'temporary', cause: 'shutting down' }]);
  });
});

describe('parameters', () => {
  const dsn: Partial<Shipment> = {
    envelope: {
      reversePath: expectMailbox('a@example.org'),
      body: '8BITMIME',
      smtputf8: false,
      ret: 'HDRS',
      envid: 'a b+c',
    },
    recipients: [
      { mailbox: expectMailbox('x@example.com'), notify: ['success', 'delay'], orcpt: 'rfc822;team+x@example.com' },
    ],
  };

  test('of DSN go to a next hop that offers it, in xtext', async () => {
    const { hop, ship } = await bench();
    await ship(dsn);
    expect(hop.lines).toContain('RCPT TO:<x@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;team+2Bx@example.com');
    expect(commands(hop, 'MAIL')[0]).toMatch(/ RET=HDRS ENVID=a\+20b\+2Bc/);
    expect(commands(hop, 'MAIL')[0]).toContain(' BODY=8BITMIME');
  });

  test('of DSN do not go to one that does not, and the outcome says so', async () => {
    const { hop, ship } = await bench({ extensions: ['8BITMIME'] });
    expect(await ship(dsn)).toMatchObject([{ kind: 'accepted', dsn: false }]);
    expect(hop.lines).toContain('RCPT TO:<x@example.com>');
    expect(commands(hop, 'MAIL')[0]).not.toMatch(/RET|ENVID/);
  });

  test('SMTPUTF8 is said for an address and for a header, and ORCPT follows', async () => {
    const { hop, ship } = await bench();
    const smtputf8 = { reversePath: expectMailbox('a@example.org'), body: '8BITMIME', smtputf8: true } as const;
    const recipients = [{ mailbox: expectMailbox('jürgen@example.com'), orcpt: 'utf-8;grüppe@example.com' }];
    await ship({ envelope: smtputf8, recipients });
    await ship({ envelope: smtputf8, content: Buffer.from('Subject: ü\r\n\r\n') });
    await ship({ envelope: smtputf8 });
    const mails = commands(hop, 'MAIL').map((line) => line.includes(' SMTPUTF8'));
    expect(mails).toEqual([true, true, false]);
    const latin = (text: string): string => Buffer.from(text).toString('latin1');
    expect(hop.lines).toContain(latin('RCPT TO:<jürgen@example.com> ORCPT=utf-8;grüppe@example.com'));
  });

  test('SIZE is told, and a limit told by the next hop is kept', async () => {
    const { hop, ship } = await bench({ extensions: ['SIZE 100', '8BITMIME'] });
    await ship();
    expect(commands(hop, 'MAIL')[0]).toMatch(/ SIZE=35$/);
    expect((await ship({ content: Buffer.alloc(102, 'x\r\n') }))[0]).toMatchObject({
      kind: 'permanent',
      reply: { code: 552 },
    });
  });
});

describe('what a next hop cannot take is refused, never converted', () => {
  const plain = { extensions: ['PIPELINING'] };

  test('an address beyond ASCII; the others go', async () => {
    const { hop, ship } = await bench({ extensions: ['8BITMIME'] });
    const outcomes = await ship({ recipients: to('jürgen@example.com', 'x@example.com') });
    expect(outcomes).toMatchObject([
      { kind: 'permanent', reply: { code: 553, enhanced: '5.6.7' } },
      { kind: 'accepted' },
    ]);
    expect(commands(hop, 'RCPT')).toEqual(['RCPT TO:<x@example.com>']);
  });

  test('a sender beyond ASCII', async () => {
    const { ship } = await bench({ extensions: ['8BITMIME'] });
    const envelope = { reversePath: expectMailbox('jürgen@example.org'), body: '7BIT', smtputf8: true } as const;
    expect(await ship({ envelope })).toMatchObject([{ kind: 'permanent', reply: { enhanced: '5.6.7' } }]);
  });

  test('a header in UTF-8', async () => {
    const { ship } = await bench({ extensions: ['8BITMIME'] });
    const envelope = { reversePath: expectMailbox('a@example.org'), body: '8BITMIME', smtputf8: true } as const;
    const content = Buffer.from('Subject: ü\r\n\r\n');
    expect(await ship({ envelope, content })).toMatchObject([{ kind: 'permanent', reply: { enhanced: '5.6.9' } }]);
  });

  test('8-bit content', async () => {
    const { hop, ship } = await bench(plain);
    const content = Buffer.from('Subject: x\r\n\r\nü\r\n');
    expect(await ship({ content })).toMatchObject([{ kind: 'permanent', reply: { code: 554, enhanced: '5.6.3' } }]);
    // Declared 8-bit but plain: nothing to convert.
    const envelope = { reversePath: expectMailbox('a@example.org'), body: '8BITMIME', smtputf8: false } as const;
    expect(await ship({ envelope })).toMatchObject([{ kind: 'accepted' }]);
    expect(hop.lines.filter((line) => line.includes('BODY='))).toEqual([]);
    expect(hop.connections).toBe(1);
  });

  test('bare line ends, which nodemailer would rewrite', async () => {
    const { hop, ship } = await bench();
    for (const text of ['a\nb\r\n', 'a\rb\r\n', '\n', 'a\r']) {
      expect(await ship({ content: Buffer.from(text) })).toMatchObject([
        { kind: 'permanent', reply: { enhanced: '5.6.0' } },
      ]);
    }
    expect(hop.contents).toEqual([]);
  });
});

describe('TLS', () => {
  test('required and not offered is temporary, and nothing of the message is said', async () => {
    for (const level of ['encrypt', 'verify'] as const) {
      const { hop, ship } = await bench(
        { answer: (line) => (line === 'STARTTLS' ? '502 5.5.1 no' : undefined) },
        { tls: level },
      );
      expect((await ship())[0]?.kind).toBe('temporary');
      expect(commands(hop, 'MAIL')).toEqual([]);
    }
  });

  test('offered and refused, or broken, leaves `may` in the clear and `encrypt` undelivered', async () => {
    const refusing: Script = {
      extensions: ['STARTTLS', '8BITMIME'],
      answer: (line) => (line === 'STARTTLS' ? '454 4.7.0 not now' : undefined),
    };
    const broken: Script = {
      extensions: ['STARTTLS', '8BITMIME'],
      answer: (line) => (line === 'STARTTLS' ? '220 go' : undefined),
    };
    for (const script of [refusing, broken]) {
      const may = await bench(script, { tls: 'may' });
      expect((await may.ship())[0]?.kind).toBe('accepted');
      const encrypt = await bench(script, { tls: 'encrypt' });
      expect((await encrypt.ship())[0]?.kind).toBe('temporary');
      expect(encrypt.hop.contents).toEqual([]);
    }
  });
});
