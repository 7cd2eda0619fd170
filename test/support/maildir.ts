// A Maildir as another MTA fills it. What arrives is an event (the kernel tells of each rename into new/).
import { type FSWatcher, watch } from 'node:fs';
import { chown, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Journal } from './journal.ts';

export interface Mail {
  readonly file: string;
  /** With LF line ends, as a Maildir keeps it. */
  readonly raw: Buffer;
  /** Unfolded, the topmost one first; names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly subject: string;
}

export class Maildir implements Disposable {
  readonly mails: Journal<Mail>;
  readonly #folder: string;
  /** Its own folder, with new/ and cur/ in it. */
  readonly path: string;
  readonly #known = new Set<string>();
  readonly #watcher: FSWatcher;

  private constructor(name: string, folder: string) {
    this.mails = new Journal(`Maildir of ${name}`);
    this.path = folder;
    this.#folder = join(folder, 'new');
    this.#watcher = watch(this.#folder, () => void this.#look());
  }

  /** Makes the folder, so that there is something to watch before the first mail. */
  static async create(folder: string, name: string, owner: { uid: number; gid: number }): Promise<Maildir> {
    for (const part of [folder, join(folder, 'tmp'), join(folder, 'new'), join(folder, 'cur')]) {
      await mkdir(part, { recursive: true, mode: 0o700 });
      await chown(part, owner.uid, owner.gid);
    }
    return new Maildir(name, folder);
  }

  async #look(): Promise<void> {
    for (const file of await readdir(this.#folder)) {
      if (this.#known.has(file)) continue;
      this.#known.add(file);
      this.mails.add(readMail(file, await readFile(join(this.#folder, file))));
    }
  }

  /** The next mail whose subject fits. */
  next(subject: string | RegExp, within?: number): Promise<Mail> {
    const fits = (mail: Mail) => (typeof subject === 'string' ? mail.subject === subject : subject.test(mail.subject));
    return this.mails.next(fits, { what: `mail with the subject ${subject}`, ...(within ? { within } : {}) });
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
  }
}

function readMail(file: string, raw: Buffer): Mail {
  const end = raw.indexOf('\n\n');
  const head = raw.subarray(0, end < 0 ? raw.length : end).toString('latin1');
  const headers = head
    .replace(/\n(?=[ \t])/g, '')
    .split('\n')
    .map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
  return { file, raw, headers, subject: headers.find(([name]) => name === 'subject')?.[1] ?? '' };
}
