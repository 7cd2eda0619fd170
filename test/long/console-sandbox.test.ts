// The console over the sandbox: every page in every size and colour, every button and form, those of the stage too.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Browser } from '../support/browser.ts';
import { Child } from '../support/child.ts';
import { otherPages, pressAll, unsound } from '../support/console-walk.ts';
import { requirePeer } from '../support/peers.ts';

const program = join(import.meta.dirname, '..', '..', 'bin', 'pointsman.js');

describe.skipIf(!requirePeer('chromium'))('the console over the sandbox', () => {
  let child: Child;
  let browser: Browser;
  let url: string;
  beforeAll(async () => {
    child = new Child('sandbox', [process.execPath, program, 'sandbox', '--json', '--for', '900s']);
    const ready = JSON.parse(await child.out.next(() => true, { within: 30_000, what: 'ready' })) as {
      console: { url: string };
    };
    url = ready.console.url;
    browser = await Browser.start();
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await child?.[Symbol.asyncDispose]();
  });

  /** A mail is sent with the button of the stage: the page of it. */
  async function sent(page: Awaited<ReturnType<Browser['visitor']>>['page']): Promise<string> {
    await page.goto(url);
    await page.locator('form.send select[name=to]').selectOption('support@pointsman.test');
    await page.getByLabel('Whoever gets it').selectOption('ignore');
    await page.getByRole('button', { name: 'Send a mail' }).click();
    const link = page.locator('#watched .mail a[href^="/message/"]').first();
    await link.waitFor();
    return (await link.getAttribute('href')) ?? '';
  }

  test.each(
    [360, 768, 1440].flatMap((width) => (['light', 'dark'] as const).map((scheme) => ({ width, scheme }))),
  )('every page is sound at $width px, $scheme', async (look) => {
    await using visitor = await browser.visitor({ ...look, language: 'en' });
    const message = await sent(visitor.page);
    expect(await unsound(visitor, url, ['/', message, '/people/alice', ...otherPages])).toEqual({});
    expect(visitor.wrongs).toEqual([]);
  });

  test('every button and form is pressed, and is answered', async () => {
    await using visitor = await browser.visitor();
    const mine = async () => [await sent(visitor.page), '/', '/people/alice'];
    const pressed = [...(await pressAll(visitor, url, mine, otherPages))];
    process.stdout.write(`pressed: ${pressed.join(', ')}\n`);
    for (const verb of ['ack', 'snooze', 'step', 'reassign']) expect(pressed).toContain(`POST /message/:id/${verb}`);
    expect(pressed.filter((key) => key.startsWith('POST /play/')).length).toBeGreaterThan(3);
    expect(visitor.wrongs).toEqual([]);
  });
});
