// As somebody new: the sandbox is started, a browser opened, a mail sent to a group; it is seen to go to the one who is
// there, and made to move on. Without reading anything, within a minute.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Browser } from '../support/browser.ts';
import { Child } from '../support/child.ts';
import { requirePeer } from '../support/peers.ts';

const program = join(import.meta.dirname, '..', '..', 'bin', 'pointsman.js');

describe.skipIf(!requirePeer('chromium'))('the sandbox in a browser', () => {
  test('a mail goes to whoever is there, and moves on when nobody looks', async () => {
    const from = performance.now();
    await using child = new Child('sandbox', [process.execPath, program, 'sandbox', '--json', '--for', '110s']);
    const ready = JSON.parse(await child.out.next(() => true, { within: 30_000, what: 'ready' })) as {
      console: { url: string };
    };
    await using browser = await Browser.start();
    await using one = await browser.visitor();
    const { page } = one;
    await page.goto(ready.console.url);
    await page.locator('.live[data-state="true"]').waitFor();

    // bob alone is there.
    for (const name of ['alice', 'dave']) await page.getByRole('button', { name: `${name}: offline` }).click();
    await page.getByRole('button', { name: 'bob: available' }).click();
    await page.locator('form.send select[name=to]').selectOption('support@pointsman.test');
    await page.getByLabel('about').selectOption('No heating in room 12');
    await page.getByLabel('Whoever gets it').selectOption('ignore');
    await page.locator('.next', { hasText: 'bob' }).first().waitFor();
    const sent = performance.now();
    await page.getByRole('button', { name: 'Send a mail' }).click();
    const line = page.locator('#watched .mail', { hasText: 'No heating in room 12' });
    await line.locator('.owner', { hasText: 'bob' }).waitFor();
    expect(performance.now() - sent).toBeLessThan(3_000);
    // And beside the button that sent it.
    await page.locator('.newest', { hasText: 'bob' }).filter({ hasText: 'No heating in room 12' }).waitFor();

    // alice comes, bob does not look, and time is hurried.
    await page.getByRole('button', { name: 'alice: available' }).click();
    await page.getByRole('button', { name: '5 × faster' }).click();
    await line.locator('.owner', { hasText: 'alice' }).waitFor({ timeout: 40_000 });
    // Before the steps run out.
    await page.getByRole('button', { name: 'as ever' }).click();
    await line.getByRole('link').first().click();
    await page.getByText('Escalated to alice').waitFor();
    await page.getByRole('button', { name: 'Acknowledge' }).click();
    // An operator’s word that it is done is as good as an answer.
    await page.locator('.standing.outcome-answered').waitFor();
    expect(performance.now() - from).toBeLessThan(90_000);
    expect(one.wrongs).toEqual([]);

    // What was done by hand stands in the audit.
    await page.goto(`${ready.console.url}/audit`);
    await page.locator('tr', { hasText: 'console:sandbox' }).filter({ hasText: 'ack' }).first().waitFor();
    // And the rules can be tried: they send the same mail to the same person.
    await page.goto(`${ready.console.url}/rules/try`);
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.locator('.tried .event').first().waitFor();
    expect(await page.locator('.tried .event').count()).toBeGreaterThan(1);
    expect(one.wrongs).toEqual([]);
  });
});
