// Every fault of the catalogue: provoked, seen in the duty room, claimed there, and cleared when its cause is gone.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hour, minute, second } from '../../../src/clock.ts';
import { type FaultId, faultKinds } from '../../../src/notify/faults.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { ruleSets } from './rules.ts';
import { ImSite, room } from './site.ts';

let site: ImSite;
beforeEach(async () => {
  site = await ImSite.open({
    rules: ruleSets.standard ?? '',
    people: ['alice', 'bob', 'carol'],
    others: ['mallory'],
    operators: { room: expectBareJid(room) },
    realTime: true,
  });
});
afterEach(() => site[Symbol.asyncDispose]());

const lines = () =>
  site
    .client('eve')
    .got.filter(({ stanza }) => stanza.attrs.type === 'groupchat')
    .map(({ text }) => text);

async function inRoom(pattern: RegExp): Promise<string> {
  await site.until(`${pattern} in the room`, () => lines().some((text) => pattern.test(text)));
  return lines().find((text) => pattern.test(text)) ?? '';
}

/** A look of the desk: due every half minute. */
async function look(): Promise<void> {
  // The one before has ended, and the next is waited for.
  await site.settled();
  await site.clock.advance(30 * second);
  await site.quiet();
}

const finding = (kind: FaultId, wrong: string | null) => site.findings.set(kind, { kind, subject: 'it', wrong });
const busy = { kind: 'temporary', reply: { code: 451, enhanced: '4.3.0', text: 'busy' }, cause: 'busy' } as const;
const accepted = { kind: 'accepted', reply: { code: 250, enhanced: '2.0.0', text: 'Ok' } } as const;

type Cause = { provoke(): Promise<void>; mend: (() => Promise<void>) | 'ack' };

/** What the adapter says of people, rooms and domains; how it comes to say so is for its own tests. */
function presenceFault<Id extends FaultId>(id: Id, about: string): Record<Id, Cause> {
  const fault = { id, about, severity: 'warning', since: 0, text: `${about} is wrong`, action: 'see to it' } as const;
  const cause: Cause = {
    async provoke() {
      site.xmpp.faults = () => [fault];
      await look();
    },
    async mend() {
      site.xmpp.faults = () => [];
      await look();
    },
  };
  return { [id]: cause } as Record<Id, Cause>;
}

/** What the book of the directory finds; how it comes to is for its own tests. */
function found<Id extends FaultId>(id: Id, wrong: string): Record<Id, Cause> {
  const cause: Cause = {
    async provoke() {
      finding(id, wrong);
      await look();
    },
    async mend() {
      finding(id, null);
      await look();
    },
  };
  return { [id]: cause } as Record<Id, Cause>;
}

/** For each fault: how it comes, and how its cause goes. */
const causes: Readonly<Record<FaultId, Cause>> = {
  'queue-old': {
    async provoke() {
      site.outcome = busy;
      await site.mail('eve@example.org', 'x');
      await site.settled();
      await site.clock.advance(61 * minute);
      await look();
    },
    async mend() {
      site.outcome = accepted;
      await site.settled();
      await site.clock.advance(2 * hour);
      await look();
      await look();
    },
  },
  'queue-long': {
    async provoke() {
      site.outcome = busy;
      const counts = site.store.counts;
      site.store.counts = async () => ({
        ...(await counts()),
        deliveries: { ...(await counts()).deliveries, queued: 1_001 },
      });
      await look();
      site.store.counts = counts;
    },
    mend: look,
  },
  'next-hop-down': {
    async provoke() {
      site.outcome = busy;
      for (let count = 0; count < 3; count += 1) await site.mail('eve@example.org', `${count}`);
    },
    async mend() {
      site.outcome = accepted;
      await site.mail('eve@example.org', 'x');
    },
  },
  'dead-letter': {
    async provoke() {
      site.outcome = { kind: 'permanent', reply: { code: 550, enhanced: '5.1.1', text: 'no' }, cause: '' };
      await site.mail('eve@example.org', 'x', '<>');
    },
    mend: 'ack',
  },
  'xmpp-link-down': {
    async provoke() {
      const real = site.xmpp.link.bind(site.xmpp);
      site.xmpp.link = () => ({ state: 'down', since: 0, reason: 'no route to host' });
      await site.settled();
      await site.clock.advance(2 * minute);
      await look();
      site.xmpp.link = real;
    },
    mend: look,
  },
  'rules-rejected': {
    async provoke() {
      finding('rules-rejected', 'The newest rules are not in force: a.yaml:3: unknown key.');
      await look();
    },
    async mend() {
      finding('rules-rejected', null);
      await look();
    },
  },
  'disk-low': {
    async provoke() {
      finding('disk-low', '1.0 % of the disk is free.');
      await look();
    },
    async mend() {
      finding('disk-low', null);
      await look();
    },
  },
  'clock-jumped': {
    async provoke() {
      await site.clock.jumpTo(site.clock.now() + 10 * minute);
      await site.quiet();
    },
    async mend() {
      await site.settled();
      await site.clock.advance(11 * minute);
      await look();
    },
  },
  'escalation-exhausted': {
    async provoke() {
      await site.mail('support@example.org', 'x');
      await site.quiet();
      for (let count = 0; count < 6; count += 1) {
        await site.clock.advance(10 * minute);
        await site.quiet();
      }
    },
    async mend() {
      const [tracked] = await site.store.listTracked({ limit: 1 });
      site.client('alice').message(`ack ${tracked?.shortId}`);
    },
  },
  'nobody-eligible': {
    async provoke() {
      for (const name of ['alice', 'bob']) site.client(name).say('<presence><show>dnd</show></presence>');
      await site.until('both busy', () =>
        ['alice', 'bob'].every((name) => site.xmpp.presenceOf(expectBareJid(`${name}@example.org`)).state === 'dnd'),
      );
      await site.mail('support@example.org', 'x');
    },
    async mend() {
      site.client('bob').say('<presence/>');
      await site.until('bob back', () => site.xmpp.presenceOf(expectBareJid('bob@example.org')).state === 'available');
      await site.mail('support@example.org', 'y');
    },
  },
  'commands-refused': {
    async provoke() {
      const mallory = await site.login('mallory');
      for (let count = 0; count < 25; count += 1) mallory.message(`ack ${count}`);
      await mallory.pong();
      await site.quiet();
      await look();
    },
    async mend() {
      await site.settled();
      await site.clock.advance(11 * minute);
      await look();
    },
  },
  ...presenceFault('presence-refused', 'presence'),
  ...presenceFault('presence-not-answered', 'presence'),
  ...presenceFault('xmpp-account-shared', 'pointsman@example.org/spare'),
  ...presenceFault('xmpp-domain-silent', 'far.example'),
  ...presenceFault('duty-room-hides-jids', 'secret@rooms.example.org'),
  ...presenceFault('duty-room-not-entered', 'closed@rooms.example.org'),
  ...found('directory-down', '127.0.0.1:389: connect ECONNREFUSED. What was read 5m ago stays in force.'),
  ...found('directory-refused', '127.0.0.1:389 answers: Invalid credentials.'),
  ...found('directory-entries', '1 of its members get no mail: duty: "uid=x" has no mail address'),
  ...found('directory-change-held', 'duty: nobody is in it any more: alice, bob.'),
  'certificate-rejected': {
    async provoke() {
      finding('certificate-rejected', 'the certificate on disk is not in use: it is another key’s.');
      await look();
    },
    async mend() {
      finding('certificate-rejected', null);
      await look();
    },
  },
  'mail-refused': {
    async provoke() {
      site.freeSpace = 0;
      await look();
    },
    async mend() {
      site.freeSpace = 1_000_000_000;
      await look();
    },
  },
  'certificate-expiring': {
    async provoke() {
      finding('certificate-expiring', 'The certificate of CN=x ends in 3 days.');
      await look();
    },
    async mend() {
      finding('certificate-expiring', null);
      await look();
    },
  },
};

describe('a fault', () => {
  it.each(Object.keys(faultKinds) as FaultId[])('%s opens in the room, is claimed, and clears', async (kind) => {
    const { provoke, mend } = causes[kind];
    await provoke();
    await site.until(`${kind} is open`, async () =>
      (await site.store.faults('open')).some((each) => each.kind === kind),
    );
    const open = (await site.store.faults('open')).find((each) => each.kind === kind);
    const id = `f${open?.number}`;
    expect(await inRoom(new RegExp(`^${id} ${faultKinds[kind].severity}: `))).toContain(
      `Do: ${faultKinds[kind].action}`,
    );
    site.client('carol').message(`claim ${id}`);
    await inRoom(new RegExp(`^${id} is with carol: `));
    site.client('alice').message(`claim ${id}`);
    await site.until('alice is told', () => site.client('alice').got.some(({ text }) => /operator/.test(text)));
    if (mend === 'ack') site.client('carol').message(`ack ${id}`);
    else await mend();
    const over = await inRoom(new RegExp(`^${id} is over after `));
    expect(/^So says carol\.$/m.test(over)).toBe(mend === 'ack');
    const told = lines().filter((text) => new RegExp(`^${id}\\b(?! goes on)`).test(text));
    expect(told).toHaveLength(3);
    for (const text of told) {
      const [first = '', ...rest] = text.split('\n');
      expect(first.length).toBeLessThanOrEqual(60);
      expect(first.endsWith(`${faultKinds[kind].title}.`)).toBe(true);
      expect(rest.length).toBeGreaterThan(0);
    }
    expect(site.webhooks.filter((each) => (each as { number: number }).number === open?.number)).toMatchObject([
      { state: 'open', fault: kind },
      { state: 'owned', owner: 'carol' },
      { state: 'cleared' },
    ]);
  });

  it('is taken from the console as from the room: the first has it, and everybody is told', async () => {
    await causes['escalation-exhausted'].provoke();
    const opened = async () => (await site.store.faults('open')).find(({ kind }) => kind === 'escalation-exhausted');
    await site.until('it is open', async () => (await opened()) !== undefined);
    const number = (await opened())?.number ?? 0;
    const act = (action: 'claim' | 'release' | 'clear', by: string) => site.relay.actOnFault(number, action, by);
    const both = await Promise.allSettled([act('claim', 'console:ann'), act('claim', 'console:bob')]);
    expect(both).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: { name: 'RefusedError' } }]);
    await inRoom(new RegExp(`^f${number} is with console:ann: `));
    site.client('carol').message(`claim f${number}`);
    await site.until('carol is told', () => site.client('carol').got.some(({ text }) => text.includes('console:ann')));
    await expect(act('clear', 'console:bob')).rejects.toThrow(`f${number}: console:ann has it`);
    await act('release', 'console:bob');
    expect(await act('clear', 'console:bob')).toMatchObject({ clearedBy: 'console:bob' });
    await inRoom(new RegExp(`^f${number} is over after [^]*\\nSo says console:bob\\.$`));
    await expect(act('claim', 'console:ann')).rejects.toThrow(`f${number} is over`);
    await causes['next-hop-down'].provoke();
    await site.until('the next is open', async () => (await site.store.faults('open')).length > 0);
    const [down] = await site.store.faults('open');
    await expect(site.relay.actOnFault(down?.number ?? 0, 'clear', 'console:ann')).rejects.toThrow(/clears by itself/);
  });

  it('that was over before anybody could be told is told all the same, once', async () => {
    const real = site.xmpp.send.bind(site.xmpp);
    site.xmpp.send = () => Promise.reject(new Error('the link is down'));
    finding('disk-low', 'full');
    await site.settled();
    await site.clock.advance(30 * second);
    await site.until('open', async () => (await site.store.faults('open')).length === 1);
    finding('disk-low', null);
    await site.settled();
    await site.clock.advance(30 * second);
    await site.until('over', async () => (await site.store.faults('open')).length === 0);
    site.xmpp.send = real;
    await look();
    expect(await inRoom(/^f1 is over, it was open from .*: the disk is nearly full\.\nfull\.$/)).toBeTruthy();
    await look();
    expect(lines().filter((text) => /^f1\b/.test(text))).toHaveLength(1);
  });

  it('is claimed by one; the claim lapses when they leave, and after four hours', async () => {
    finding('disk-low', 'full');
    await look();
    site.client('carol').message('!claim f1', '', room, 'groupchat');
    await inRoom(/^f1 is with carol: /);
    site.client('carol').say("<presence type='unavailable'/>");
    await site.until('gone', () => site.xmpp.presenceOf(expectBareJid('carol@example.org')).state === 'offline');
    await site.clock.advance(3 * second);
    await inRoom(/^f1 is free again: the disk is nearly full\.\nfull\.\nTake it: claim f1\.$/);
    expect((await site.store.faults('open'))[0]).toMatchObject({ owner: null });
  });
});
