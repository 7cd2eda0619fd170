// Races for one mail, and people who mean harm: one wins, nothing breaks, nobody else waits.
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ruleSets } from './rules.ts';
import { bot, escaped, ImSite, room } from './site.ts';

let site: ImSite | undefined;
afterEach(async () => {
  await site?.[Symbol.asyncDispose]();
  site = undefined;
});

/** A group of so many. */
function manyRules(count: number): string {
  const names = Array.from({ length: count }, (_, index) => `p${index}`);
  return `
people:
${names.map((name) => `  ${name}: { mail: ${name}@example.org }`).join('\n')}
groups:
  support:
    address: support@example.org
    members: [${names.join(', ')}]
    fallback: { mailbox: archive@example.org }
    policy: standard
policies:
  standard:
    until: answered
    steps: [{ name: next, after: 1h, to: next }]
`;
}

describe('a race', () => {
  it.each([2, 3, 50])('of %i who claim at once, in the room and directly, has one winner', async (count) => {
    const names = Array.from({ length: count }, (_, index) => `p${index}`);
    site = await ImSite.open({ rules: manyRules(count), people: names });
    const { id, queueId } = await site.mail('support@example.org', 'x');
    const { clients } = site;
    await site.until('told', () => (clients.get('p0')?.got.length ?? 0) > 0);
    for (const [index, name] of names.entries()) {
      const client = site.client(name);
      if (index % 2 === 0) client.message(`claim ${id}`);
      else client.message(`claim ${id}`, '', room, 'groupchat');
    }
    await Promise.all(names.map((name) => site?.client(name).pong()));
    await site.quiet();
    const tracked = (await site.store.message(queueId))?.tracked[0];
    const winner = tracked?.owner ?? '';
    const claims = (await site.store.evidence(queueId)).filter(({ grade }) => grade === 7);
    expect(claims.map(({ person }) => person)).toEqual([winner]);
    // Everybody was answered, each by one line that tells who has it.
    const won = new RegExp(`#${id} is (yours\\. It is done|taken by ${winner}\\.$)`);
    const lost = new RegExp(`^#${id}: ${winner} has it\\.$`);
    const inRoom = site.client('eve').got.map(({ text }) => text);
    const direct = names
      .filter((_, index) => index % 2 === 0)
      .flatMap(
        (name) =>
          site
            ?.client(name)
            .got.filter(({ stanza }) => stanza.attrs.type === 'chat')
            .map(({ text }) => text) ?? [],
      );
    const all = [...inRoom, ...direct];
    expect(all.filter((text) => won.test(text))).toHaveLength(1);
    expect(all.filter((text) => lost.test(text))).toHaveLength(count - 1);
  });
});

describe('somebody who means harm', () => {
  const people = ['alice', 'bob'];
  const openSite = () => ImSite.open({ rules: ruleSets.standard ?? '', people, others: ['mallory'] });

  it('sends ten thousand commands: nothing changes, one line answers, and alice is answered within a second', async () => {
    site = await openSite();
    const { id } = await site.mail('support@example.org', 'x');
    const alice = site.client('alice');
    await site.until('told', () => alice.got.length > 0);
    const mallory = await site.login('mallory');
    const before = process.memoryUsage().heapUsed;
    // As fast as they are taken: far more than ten thousand a minute.
    const waits: number[] = [];
    for (let batch = 0; batch < 100; batch += 1) {
      for (let count = 0; count < 100; count += 1) mallory.message(count % 3 === 0 ? `ack ${id}` : `claim ${count}`);
      if (batch % 20 === 10) {
        const began = performance.now();
        const heard = alice.got.length;
        alice.message('list');
        await site.until('answered', () => alice.got.slice(heard).some(({ text }) => text.startsWith('With you:')));
        waits.push(performance.now() - began);
      }
      await mallory.pong();
    }
    await mallory.pong();
    await site.quiet();
    expect(mallory.got).toHaveLength(1);
    expect((await site.store.listTracked({ limit: 1 }))[0]).toMatchObject({ state: 'tracked', owner: 'alice' });
    expect(site.logged.filter((line) => /stranger/.test(line)).length).toBeLessThan(5);
    expect(waits).toHaveLength(5);
    for (const wait of waits) expect(wait).toBeLessThan(1_000);
    // The embedded server and both ends are in this process: a leak of every message would be far more than this.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(150_000_000);
  });

  it('whose subject and name turn text round or hide in it is shown as plain text on its own line', async () => {
    site = await openSite();
    await site.mail('support@example.org', '=?utf-8?B?4oCuZ3BqLmV4ZQ==?= \u0007 <body>&amp;');
    const alice = site.client('alice');
    await site.until('told', () => alice.got.length > 0);
    const text = alice.got[0]?.text ?? '';
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202a-\u202e\u2066-\u2069]/);
    expect(text.split('\n')).toHaveLength(3);
  });

  it('takes a member’s nick, or says to be somebody in the stanza: who is judged is who the server says', async () => {
    site = await ImSite.open({ rules: ruleSets.standard ?? '', people: ['alice'], others: ['mallory', 'bob'] });
    const { id } = await site.mail('support@example.org', 'x');
    await site.until('told', () => (site?.client('alice').got.length ?? 0) > 0);
    const mallory = await site.login('mallory');
    await mallory.join('bob');
    mallory.message(`ack ${id}`, '', room, 'groupchat');
    mallory.message(`ack ${id}`, '', `${room}/pointsman`, 'chat');
    mallory.say(
      `<message from='alice@example.org/desk' to='${bot}' type='chat' id='m1'><body>ack ${id}</body></message>`,
    );
    mallory.message(
      `ack ${id}`,
      "<delay xmlns='urn:xmpp:delay' from='alice@example.org' stamp='2026-01-05T08:59:59Z'/>",
    );
    // The server may well end the stream of who forges a from (RFC 6120 §8.1.2.1).
    await mallory.pong().catch(() => undefined);
    await site.quiet();
    expect((await site.store.listTracked({ limit: 1 }))[0]).toMatchObject({ state: 'tracked', owner: 'alice' });
  });

  it('sends stanzas of every kind of nonsense: no crash, no change, and the next command is answered', async () => {
    site = await openSite();
    const { id } = await site.mail('support@example.org', 'x');
    const alice = site.client('alice');
    await site.until('told', () => alice.got.length > 0);
    const mallory = await site.login('mallory');
    const word = fc.oneof(
      fc.string({ maxLength: 30 }),
      fc.constantFrom(id, 'ack', '-1', '1e9', '\u202e', '👍', `${id}.0.1.x`),
    );
    const legal = word.map((text) => escaped(text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]|[\ufffe\uffff]/g, '')));
    const wild = fc
      .record({ a: legal, b: legal, c: legal, kind: fc.integer({ min: 0, max: 5 }) })
      .map(({ a, b, c, kind }) => {
        const inside = [
          `<body>${a}</body><reply xmlns='urn:xmpp:reply:0' id='${b}'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='${c}' end='-3'/></fallback>`,
          `<reactions xmlns='urn:xmpp:reactions:0' id='${b}'><reaction>${a}</reaction><reaction/></reactions>`,
          `<body>${a}</body><replace xmlns='urn:xmpp:message-correct:0' id='${b}'/><delay xmlns='urn:xmpp:delay' stamp='${c}'/>`,
          `<received xmlns='urn:xmpp:receipts' id='${b}'/><displayed xmlns='urn:xmpp:chat-markers:0' id='${c}'/>`,
        ][kind];
        if (inside !== undefined) return `<message to='${bot}' type='chat' id='${c}'>${inside}</message>`;
        const form = `<x xmlns='jabber:x:data' type='submit'><field var='mail'><value>${b}</value></field><field/><field var='${c}'/></x>`;
        return `<iq type='set' to='${bot}/pm' id='x${c}'><command xmlns='http://jabber.org/protocol/commands' node='pointsman#ack' action='${kind === 4 ? 'execute' : c}'>${form}</command></iq>`;
      });
    for (const stanza of fc.sample(wild, { numRuns: 400, seed: 8 })) mallory.say(stanza);
    await mallory.pong();
    await site.quiet();
    expect((await site.store.listTracked({ limit: 1 }))[0]).toMatchObject({ state: 'tracked', owner: 'alice' });
    alice.message('list');
    await site.until('answered', () => alice.got.some(({ text }) => text.startsWith('With you:')));
    expect(site.logged.filter((line) => /could not|failed/.test(line))).toEqual([]);
  });
});
