// Through the whole console as an operator: every page looked at, every button and form pressed.
import { expect } from 'vitest';
import type { Visitor } from './browser.ts';
import { controlsOf, press } from './console-controls.ts';

/** Besides the first, and those of a message and a person. */
export const otherPages = [
  ...['/queue', '/people', '/events', '/events?kind=all', '/audit', '/reports'],
  ...['/rules', '/rules/try', '/rules/replay', '/nothing'],
];

/** What axe finds, what is cut off, what scrolls sideways; by page. */
export async function unsound(
  visitor: Visitor,
  url: string,
  paths: readonly string[],
): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const path of paths) {
    await visitor.page.goto(url + path);
    await visitor.page.evaluate(`for (const details of document.querySelectorAll('details')) details.open = true`);
    const wrong = { axe: await visitor.violations(), ...(await visitor.overflow()) };
    if (wrong.axe.length + wrong.clipped.length > 0 || wrong.sideways > 0) found[path] = wrong;
  }
  return found;
}

/** Each once, as long as there are new ones. @param mine pages of something new, for what can be done only once */
export async function pressAll(
  { page }: Visitor,
  url: string,
  mine: (turn: number) => Promise<readonly string[]>,
  others: readonly string[],
): Promise<ReadonlySet<string>> {
  const pressed = new Set<string>();
  for (let turn = 0; turn < 14; turn += 1) {
    const before = pressed.size;
    for (const path of [...(await mine(turn)), ...others]) {
      await page.goto(url + path);
      for (const control of await controlsOf(page)) {
        if (pressed.has(control.key) || control.key === 'POST /sign-out') continue;
        await page.goto(url + path);
        // What was done before may have taken this one away.
        const still = (await controlsOf(page)).find((one) => one.key === control.key);
        if (!still) continue;
        const status = await press(page, still);
        expect([control.key, status < 400]).toEqual([control.key, true]);
        pressed.add(control.key);
        expect(await page.locator('body').innerText()).not.toContain('internal error');
      }
    }
    if (pressed.size === before) break;
  }
  return pressed;
}
