// A real browser for the console: Debian's Chromium, driven by playwright-core, one for a whole suite. Whatever a page
// does that it must not (a script of somebody else's, a violation of the policy, an error) is kept and fails the test.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type BrowserContext, type Browser as Chromium, chromium, type Page } from 'playwright-core';
import { programPath } from './peers.ts';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export interface Look {
  readonly width: number;
  readonly scheme: 'light' | 'dark';
  readonly language?: 'en' | 'de';
}

export class Browser implements AsyncDisposable {
  readonly #chromium: Chromium;

  private constructor(browser: Chromium) {
    this.#chromium = browser;
  }

  static async start(): Promise<Browser> {
    const executablePath = programPath('chromium') ?? 'chromium';
    // No sandbox of its own: tests may run as root, and it shows nothing but our own pages.
    const quiet = ['background-networking', 'component-update', 'sync', 'gpu', 'dev-shm-usage'];
    const args = ['--no-sandbox', ...quiet.map((one) => `--disable-${one}`)];
    return new Browser(await chromium.launch({ executablePath, args }));
  }

  async visitor({ width, scheme, language = 'en' }: Look = { width: 1440, scheme: 'light' }): Promise<Visitor> {
    const context = await this.#chromium.newContext({
      viewport: { width, height: 900 },
      colorScheme: scheme,
      locale: language === 'de' ? 'de-DE' : 'en-GB',
      timezoneId: 'Europe/Berlin',
    });
    return new Visitor(context, await context.newPage());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#chromium.close();
  }
}

export class Visitor implements AsyncDisposable {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What must not happen. */
  readonly wrongs: string[] = [];

  constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.setDefaultTimeout(20_000);
    page.on('console', (message) => {
      // Chromium says of each answer that is no success that it "failed to load": that is the server's word, not ours.
      if (message.type() !== 'error' || message.text().startsWith('Failed to load resource')) return;
      this.wrongs.push(`${page.url()}: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.wrongs.push(`${page.url()}: ${error.message}`));
    page.on('dialog', (dialog) => {
      this.wrongs.push(`${page.url()}: a script of somebody else's ran: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }

  /** What axe-core finds, a line for each rule with the places. */
  async violations(): Promise<readonly string[]> {
    await this.page.evaluate(axeSource);
    return this.page.evaluate<readonly string[]>(`axe.run().then(({ violations }) =>
      violations.map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3)
        .map(({ target, failureSummary }) => target.join(' ') + ' (' + failureSummary + ')').join('; ')))`);
  }

  /** By how much the page is wider than the window, and which texts are cut off: of what is seen, and not meant to be cut. */
  overflow(): Promise<{ readonly sideways: number; readonly clipped: readonly string[] }> {
    return this.page.evaluate(`(() => {
      const root = document.documentElement;
      const clipped = [...document.querySelectorAll('main *, header *')].filter((element) =>
        element instanceof HTMLElement && element.closest('.unseen, .wide, svg') === null && element.innerText !== '' &&
        getComputedStyle(element).overflowX === 'hidden' && element.scrollWidth > element.clientWidth + 1);
      return {
        sideways: root.scrollWidth - root.clientWidth,
        clipped: clipped.map((element) => element.tagName + '.' + element.className),
      };
    })()`);
  }

  /** Whether the focus is on (or within) what the selector says. */
  focusOn(selector: string): Promise<boolean> {
    return this.page.evaluate(`document.activeElement?.closest(${JSON.stringify(selector)}) != null`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
  }
}
