// Everything on a page of the console that can be pressed, found by looking at the page itself: so that a new button
// cannot be forgotten by the tests. And pressing it as a person would: with what must be filled in filled in.
import type { Page } from 'playwright-core';

export interface Control {
  /** `POST /message/:id/hold`, `POST /queue action=drop`. */
  readonly key: string;
  readonly path: string;
  /** Which of the page's forms, and which of its buttons. */
  readonly form: number;
  readonly button: number;
}

/** Opens whatever is folded up, and tells what can be pressed in it. */
export async function controlsOf(page: Page): Promise<readonly Control[]> {
  const found = await page.evaluate<readonly Omit<Control, 'key'>[]>(`(() => {
    for (const details of document.querySelectorAll('details')) details.open = true;
    return [...document.forms].flatMap((form, index) =>
      [...form.querySelectorAll('button')].map((button, at) => ({
        // Not form.action: a button may have that name.
        path: form.getAttribute('method').toUpperCase() + ' ' +
          new URL(form.getAttribute('action'), location.href).pathname + (button.name === '' ? '' : ' ' + button.name + '=' + button.value),
        form: index,
        button: at,
      })));
  })()`);
  return found.map((one) => ({ ...one, key: keyOf(one.path) }));
}

/** Without what is of one message, person or fault alone. */
function keyOf(path: string): string {
  return path
    .replace(/\/message\/[^/]+\//, '/message/:id/')
    .replace(/\/people\/[^/]+\//, '/people/:name/')
    .replace(/\/faults\/\d+/, '/faults/:number');
}

/** @returns the status of the answer to what was pressed */
export async function press(page: Page, { form, button, path }: Control): Promise<number> {
  await page.evaluate(`(() => {
    for (const details of document.querySelectorAll('details')) details.open = true;
    const form = document.forms[${form}];
    for (const field of form.elements) {
      if (field.type === 'checkbox' && form.querySelector('input[type=checkbox]') === field) field.checked = true;
      if (field.type === 'radio' && field.required && !form.querySelector('input[type=radio]:checked')) field.checked = true;
      if ((field.required || field.name === 'why') && field.value === '')
        field.value = field.type === 'email' ? 'cleo@example.test' : 'because it must be';
    }
  })()`);
  const [method = '', pathname = ''] = path.split(' ');
  const [response] = await Promise.all([
    page.waitForResponse((one) => one.request().method() === method && new URL(one.url()).pathname === pathname),
    page.locator('form').nth(form).locator('button').nth(button).click(),
  ]);
  if (response.status() === 303) await page.waitForLoadState('load');
  return response.status();
}
