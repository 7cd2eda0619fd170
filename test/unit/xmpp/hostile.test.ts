// What a hostile peer may put on the stream, written past the server: entity declarations and bombs, depth and width
// without end, stanzas that pretend. Memory stays flat, nothing is expanded, and the next message is heard.
import { afterEach, describe, expect, it } from 'vitest';
import { expectBareJid } from '../../../src/presence/jid.ts';
import { alice, type Bot, openSite, type Site } from './support.ts';

const us = 'bot@example.test/pm';
const to = { kind: 'person', jid: expectBareJid('bot@example.test') } as const;
const message = (body: string, more = '') =>
  `<message from='alice@example.test/desk' to='${us}' type='chat' id='x'><body>${body}</body>${more}</message>`;

/** Each entity is ten of the one before: nine of them are 10^9 characters. */
const laughs = [
  '<!DOCTYPE lolz [<!ENTITY lol0 "lol">',
  ...Array.from({ length: 9 }, (_, n) => `<!ENTITY lol${n + 1} "${`&lol${n};`.repeat(10)}">`),
  ']>',
].join('');

const attacks: readonly (readonly [string, string])[] = [
  ['a billion laughs', `${laughs}${message('&lol9;')}`],
  ['an entity of a file', `<!DOCTYPE a [<!ENTITY file SYSTEM "file:///etc/passwd">]>${message('&file;')}`],
  ['an entity that is not declared', message('&lol9;')],
  ['a parameter entity from elsewhere', '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x">%x;]>'],
  ['quadratic entities', `<!DOCTYPE a [<!ENTITY a "${'a'.repeat(50_000)}">]>${message('&a;'.repeat(5_000))}`],
  ['a comment and an instruction', `<!-- hello --><?php echo 1 ?>${message('hello')}`],
  ['depth', message('deep', `${'<a>'.repeat(60_000)}${'</a>'.repeat(60_000)}`)],
  ['width', message('wide', '<a/>'.repeat(150_000))],
  ['attributes', message('many', `<a ${Array.from({ length: 30_000 }, (_, n) => `x${n}='1'`).join(' ')}/>`)],
  ['prefixes', message('many', `<a ${Array.from({ length: 20_000 }, (_, n) => `xmlns:p${n}='urn:${n}'`).join(' ')}/>`)],
  ['control characters', message('a\u0000b\u0007c&#0;d&#x1f;')],
  ['one text without end', message('x'.repeat(1_500_000))],
  ['what does not end', `<message from='alice@example.test' to='${us}'><body>${'y'.repeat(3_000_000)}`],
  ['tags crosswise', '<message><a><b></a></b></message>'],
];

describe('on the stream', () => {
  let site: Site | undefined;
  afterEach(async () => {
    await site?.[Symbol.asyncDispose]();
    site = undefined;
  });

  async function up(): Promise<{ bot: Bot; person: Bot }> {
    site = await openSite();
    const bot = site.bot({}, { limits: { link: { firstPause: 10, longestPause: 10 } } });
    bot.xmpp.watch([alice]);
    bot.xmpp.start();
    const person = await site.person('alice');
    await bot.becomes('available');
    return { bot, person };
  }

  it.each(attacks)('%s: nothing expands, nothing falls, the next message is heard', async (_name, xml) => {
    const { bot, person } = await up();
    const before = process.memoryUsage().rss;
    const began = performance.now();
    site?.server.faults.sendRaw(us, xml);
    // It may well end the stream of who writes such things; then it is back with a new one.
    let heard = false;
    const late = AbortSignal.timeout(15_000);
    for (let count = 0; !heard; count += 1) {
      if (late.aborted) throw new Error(`not heard again: ${bot.log.lines.slice(-5).join('\n')}`);
      await bot.link(({ state }) => state === 'up');
      await person.xmpp.send(to, `are you there ${count}`, `m${count}`).catch(() => undefined);
      heard = await bot.messages
        .next(({ body }) => body.startsWith('are you there'), { within: 500, what: 'it' })
        .then(
          () => true,
          () => false,
        );
    }
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(250_000_000);
    for (const { body } of bot.messages.seen()) {
      expect(body).not.toMatch(/lollol|root:/);
      expect(body).not.toMatch(/[\u0000-\u0008]/);
    }
  });
});
