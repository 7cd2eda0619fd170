// The chat server is gone for ten minutes while mail comes: what still matters is told once when it is back, what does
// not is not told, and one line explains the gap.
import { expect, it } from 'vitest';
import { minute, second } from '../../../src/clock.ts';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { ruleSets } from './rules.ts';
import { ImSite } from './site.ts';

it('ten minutes without the chat server lose no nudge that matters, repeat none, and are explained', async () => {
  await using site = await ImSite.open({ rules: ruleSets.standard ?? '', people: ['alice', 'bob'] });
  await site.server.stop('abruptly');
  const mails: { id: string; queueId: string }[] = [];
  for (let count = 0; count < 20; count += 1) {
    mails.push(await site.mail('support@example.org', `Mail ${count}`));
    await site.settled();
    await site.clock.advance(30 * second);
    await site.settled();
  }
  // The oldest have gone on to the next one meanwhile: those first notes are void, and the news of it is out of date.
  await site.clock.advance(11 * minute);
  await site.settled();
  await site.server.start();
  const [alice, bob] = [await site.login('alice'), await site.login('bob')];
  await site.until('both known', () =>
    ['alice', 'bob'].every((name) => site.xmpp.presenceOf(expectBareJid(`${name}@example.org`)).state === 'available'),
  );
  for (let round = 0; round < 8; round += 1) {
    await site.settled();
    await site.clock.advance(45 * second);
    await site.settled();
  }
  const told = [alice, bob].flatMap((client) =>
    client.got.map(({ text, stanza }) => ({ name: client.name, text, stanza })),
  );
  // None twice.
  const ids = told.map(({ stanza }) => stanza.attrs.id);
  expect(new Set(ids).size).toBe(ids.length);
  const open = await site.store.openTracked({});
  expect(open.length).toBeGreaterThan(0);
  const nudges = (await Promise.all(open.map(({ queueId }) => site.store.nudges(queueId)))).flat();
  for (const { shortId, owner } of open) {
    const asked = told.filter(
      ({ name, text, stanza }) =>
        name === owner && text.includes(`#${shortId}`) && !/notice/.test(stanza.attrs.id ?? ''),
    );
    // Bundles name at most five by their ids; the rest are in the count and in `list`.
    const sent = nudges.filter(
      (nudge) => nudge.text.startsWith(`#${shortId}`) && nudge.kind === 'nudge' && nudge.state === 'sent',
    );
    expect(asked.length, `#${shortId} of ${owner}`).toBeLessThanOrEqual(1);
    expect(sent.length, `#${shortId} of ${owner}`).toBeGreaterThanOrEqual(1);
  }
  const gaps = told.filter(({ text }) => /^I was cut off from you from /.test(text));
  expect(gaps.length).toBeGreaterThan(0);
  expect(new Set(gaps.map(({ name }) => name)).size).toBe(gaps.length);
});
