// Pointsman under torture: one state folder through all of its lives, on a disk of its own where the disk is to be full.
import { readdirSync } from 'node:fs';
import { mkdir, rename, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { run } from '../../support/child.ts';
import { freePorts } from '../../support/free-port.ts';
import { fakeTimeLibrary } from '../../support/peers.ts';
import { type LogLine, PointsmanProcess } from '../../support/pointsman-process.ts';
import type { Told } from './ledger.ts';

// Nobody is known to be there: whoever is in turn has it, and the chief two seconds later.
const rules = `people:
  anna: { mail: anna@torture.test }
  bert: { mail: bert@torture.test }
groups:
  desk:
    address: desk@torture.test
    members: [anna, bert]
    strategy: round-robin
    eligible: [chat, available, unknown]
    fallback: { mailbox: duty@torture.test }
    policy: brisk
policies:
  brisk:
    until: taken
    steps:
      - { name: chief, after: 2s, to: { mailbox: chief@torture.test } }
`;

const diskSize = 96 * 1024 * 1024;

export class TorturedSite implements AsyncDisposable {
  readonly pointsman: PointsmanProcess;
  readonly state: string;
  /** Of all sites, so that an arrival says in which one it was. */
  life = 0;
  /** Lines of the log with the life they are of. */
  readonly log: (LogLine & { readonly life: number })[] = [];
  readonly #ownDisk: boolean;
  #mounted = false;

  private constructor(pointsman: PointsmanProcess, ownDisk: boolean) {
    this.pointsman = pointsman;
    this.state = join(pointsman.folder, 'state');
    this.#ownDisk = ownDisk;
  }

  /** `ownDisk`: a small one (tmpfs), which only root can mount. */
  static async configure(nextHopPort: number, { ownDisk }: { ownDisk: boolean }): Promise<TorturedSite> {
    const [smtpPort, httpPort] = (await freePorts(2)) as [number, number];
    const pointsman = await PointsmanProcess.configure({
      smtpPort,
      httpPort,
      nextHopPort,
      domains: ['sink.test', 'torture.test'],
      rules,
      config: {
        queue: { firstRetry: '1s', longestRetry: '2s', keepContent: '30s' },
        // It shall really be full, not merely seen to be filling up.
        limits: { freeSpace: '0kB' },
        log: { level: 'info', pretty: 'false' },
      },
    });
    const site = new TorturedSite(pointsman, ownDisk);
    if (ownDisk) {
      await mkdir(site.state, { mode: 0o700 });
      await run(['mount', '-t', 'tmpfs', '-o', `size=${diskSize},mode=0700`, 'pointsman-torture', site.state]);
      site.#mounted = true;
    }
    return site;
  }

  async start(life: number, options: { killAt?: string; clockFile?: string; mayFail?: boolean } = {}): Promise<void> {
    this.life = life;
    const env = options.clockFile === undefined ? {} : fakeClock(options.clockFile);
    await this.pointsman.start({
      env: { ...env, NODE_COMPILE_CACHE: join(this.pointsman.folder, 'compiled') },
      ...(options.killAt === undefined ? {} : { killAt: options.killAt }),
      ...(options.mayFail === undefined ? {} : { mayFail: options.mayFail }),
    });
  }

  /** Kills it, if it has not met its end already; whether it had. */
  async kill(): Promise<boolean> {
    const early = !this.pointsman.running;
    this.pointsman.signal('SIGKILL');
    const exit = await this.pointsman.exited;
    await this.#collectAll();
    if (exit.signal !== 'SIGKILL') throw new Error(`it ended by itself: ${JSON.stringify(exit)}\n${this.complaints}`);
    return early;
  }

  async stop(): Promise<void> {
    const exit = await this.pointsman.stop();
    await this.#collectAll();
    if (exit?.code !== 0) throw new Error(`it did not end cleanly: ${JSON.stringify(exit)}\n${this.complaints}`);
  }

  /** What the life that has ended has said: its last lines are still on their way from the pipe. */
  async #collectAll(): Promise<void> {
    await nextTurn();
    const lines = this.pointsman.log.seen();
    for (const line of lines.slice(this.log.length)) this.log.push({ ...line, life: this.life });
  }

  get complaints(): string {
    const worst = this.log.filter(({ level }) => level === 'error').slice(-5);
    return [this.pointsman.complaints, ...worst.map((line) => JSON.stringify(line))].join('\n');
  }

  get wal(): string {
    return join(this.state, 'pointsman.db-wal');
  }

  /** Leaves a few kilobytes at most, until the function that it gives is called. */
  async fillDisk(): Promise<() => Promise<void>> {
    if (!this.#ownDisk) throw new Error('only a disk of its own may be filled');
    const file = join(this.state, 'filler');
    const { bavail, bsize } = await statfs(this.state);
    await writeFile(file, Buffer.alloc(Math.max(0, (bavail - 1) * bsize))).catch((error: NodeJS.ErrnoException) => {
      // Mail that comes meanwhile has taken the rest: full is full.
      if (error.code !== 'ENOSPC') throw error;
    });
    return () => run(['rm', '-f', file]).then(() => undefined);
  }

  /** Events of the story that say something of ends; only while it does not run. */
  storedEvents(): Told[] {
    const database = new Database(join(this.state, 'pointsman.db'), { readonly: true });
    try {
      const rows = database
        .prepare(`SELECT event FROM events WHERE event LIKE '%possible duplicate%' OR event LIKE '%"reported"%'`)
        .all() as { event: string }[];
      return rows.map(({ event }) => JSON.parse(event) as Told);
    } finally {
      database.close();
    }
  }

  /** Queue ids of which an open fault says that they are dead letters; only while it does not run. */
  deadLetterFaults(): ReadonlySet<string> {
    const database = new Database(join(this.state, 'pointsman.db'), { readonly: true });
    try {
      const rows = database
        .prepare(`SELECT subject FROM faults WHERE kind = 'dead-letter' AND cleared_at IS NULL`)
        .all() as { subject: string }[];
      return new Set(rows.map(({ subject }) => subject));
    } finally {
      database.close();
    }
  }

  /** Files of content that no message has; only while it does not run. */
  strayFiles(): string[] {
    const database = new Database(join(this.state, 'pointsman.db'), { readonly: true });
    try {
      const rows = database.prepare('SELECT file FROM message_content WHERE file IS NOT NULL').all() as {
        file: string;
      }[];
      const named = new Set(rows.map(({ file }) => file));
      return readdirSync(join(this.state, 'content')).filter((file) => !named.has(file));
    } finally {
      database.close();
    }
  }

  /** Holds SQLite's write lock, as another process would, until the function that it gives is called. */
  lockStore(): () => void {
    const database = new Database(join(this.state, 'pointsman.db'), { timeout: 2_000 });
    database.exec('BEGIN IMMEDIATE');
    return () => {
      database.exec('ROLLBACK');
      database.close();
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pointsman.signal('SIGKILL');
    if (this.pointsman.running) await this.pointsman.exited;
    if (this.#mounted) await run(['umount', this.state]);
    await this.pointsman[Symbol.asyncDispose]();
  }
}

/** The file says by how much the clock is wrong, in seconds; it is read at every look at the clock. */
function fakeClock(file: string): Record<string, string> {
  const library = fakeTimeLibrary();
  if (library === undefined) throw new Error('libfaketime is not installed');
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    // Timers run on the monotonic clock, which does not jump.
    DONT_FAKE_MONOTONIC: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

export async function setClock(file: string, seconds: number): Promise<void> {
  await writeFile(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  await rename(`${file}.new`, file);
}
