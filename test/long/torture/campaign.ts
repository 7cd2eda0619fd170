// One campaign: rounds of faults under load against one state folder, its next hop in trouble; after every ten rounds the
// next hop heals, Pointsman has its way, and the books must balance.
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { missingPeers } from '../../support/peers.ts';
import { chanceFrom } from './chance.ts';
import { type Account, settleAccounts, type Told } from './ledger.ts';
import { type Bulk, Load, startSmtpSource } from './load.ts';
import { TroubledHop } from './next-hop.ts';
import { type Fault, planRounds, type Round, tellOf } from './plan.ts';
import { setClock, TorturedSite } from './site.ts';
import { addGarbage, cutBack, endOfWal, tearFrame } from './wal.ts';

export interface Campaign {
  readonly seed: number;
  readonly rounds: readonly RoundResult[];
  readonly account: Account;
  readonly unsure: number;
  readonly turnedAway: number;
  /** What the next hop did, and how often. */
  readonly troubles: ReadonlyMap<string, number>;
  /** Kinds of rounds that could not be made here. */
  readonly impossible: readonly string[];
  readonly seconds: number;
}

export interface RoundResult {
  readonly round: Round;
  readonly ms: number;
  readonly accepted: number;
  /** What came to the next hop, and how much of it were reports. */
  readonly arrived: number;
  readonly reports: number;
  readonly turnedAway: number;
  /** What happened besides. */
  readonly note: string;
}

type Say = (text: string) => void;

const roundsPerAccount = 10;

export async function runCampaign(seed: number, count: number, say: Say = () => undefined): Promise<Campaign> {
  const started = performance.now();
  const root = process.getuid?.() === 0;
  const clock = missingPeers(['faketime']).length === 0;
  const impossible = [...(root ? [] : ['disk']), ...(clock ? [] : ['clock'])];
  const rounds = planRounds(seed, count, (kind) => !impossible.includes(kind));
  await using torture = await Torture.prepare(seed, root && rounds.some(({ fault }) => fault.kind === 'disk'), say);
  const results: RoundResult[] = [];
  for (const round of rounds) {
    const result = await torture.round(round).catch((error: unknown) => {
      throw new Error(`round ${round.number} of seed ${seed} (${tellOf(round.fault)})`, { cause: error });
    });
    results.push(result);
    say(
      `${String(round.number).padStart(3)}  ${tellOf(round.fault).padEnd(46)} ${round.trouble.padEnd(30)} ${String(result.accepted).padStart(4)} accepted  ${String(result.ms).padStart(5)} ms  ${result.note}`,
    );
    if (round.number % roundsPerAccount === 0 || round.number === count) {
      const account = await torture.account();
      say(
        `     healed: ${account.delivered} delivered, ${account.reported} reported, ${account.dead} dead letters, ${account.duplicates} duplicates`,
      );
      if (account.problems.length > 0)
        throw new Error(
          `seed ${seed}, after round ${round.number}: ${account.problems.length} problems:\n${account.problems.slice(0, 20).join('\n')}`,
        );
    }
  }
  return {
    seed,
    rounds: results,
    account: await torture.account(),
    unsure: torture.load.unsure.length,
    turnedAway: torture.load.turnedAway,
    troubles: torture.hop.counts,
    impossible,
    seconds: (performance.now() - started) / 1_000,
  };
}

class Torture implements AsyncDisposable {
  readonly hop: TroubledHop;
  readonly load: Load;
  readonly #chance: () => number;
  readonly #say: Say;
  readonly #undo: AsyncDisposableStack;
  readonly #main: TorturedSite;
  readonly #small: TorturedSite | undefined;
  readonly #clockFile: string;
  readonly #bulk: Bulk[] = [];
  readonly #cutAfter = new Set<number>();
  #life = 0;
  #expiredIn = 0;
  /** By how much it was, since all was settled: what was scheduled then is due at its time, which has yet to come. */
  readonly #ahead = new Set<number>();

  private constructor(
    parts: { hop: TroubledHop; main: TorturedSite; small: TorturedSite | undefined; seed: number; say: Say },
    undo: AsyncDisposableStack,
  ) {
    this.hop = parts.hop;
    this.#main = parts.main;
    this.#small = parts.small;
    this.#say = parts.say;
    this.load = new Load(chanceFrom(parts.seed + 2));
    this.#chance = chanceFrom(parts.seed + 3);
    this.#clockFile = join(parts.main.pointsman.folder, 'clock');
    this.#undo = undo;
  }

  static async prepare(seed: number, withDisk: boolean, say: Say): Promise<Torture> {
    await using undo = new AsyncDisposableStack();
    const hop = undo.use(new TroubledHop(chanceFrom(seed + 1)));
    const port = await hop.listen();
    const main = undo.use(await TorturedSite.configure(port, { ownDisk: false }));
    const small = withDisk ? undo.use(await TorturedSite.configure(port, { ownDisk: true })) : undefined;
    return new Torture({ hop, main, small, seed, say }, undo.move());
  }

  async round({ number, fault, trouble }: Round): Promise<RoundResult> {
    const began = performance.now();
    const before = this.#counts();
    const site = fault.kind === 'disk' && this.#small ? this.#small : this.#main;
    this.hop.trouble = trouble;
    this.#nextLife();
    if (fault.kind === 'clock') await setClock(this.#clockFile, 0);
    await site.start(this.#life, {
      ...(fault.kind === 'window' ? { killAt: `${fault.window}:${fault.count}` } : {}),
      ...(fault.kind === 'clock' ? { clockFile: this.#clockFile } : {}),
    });
    const stopping = new AbortController();
    const loading = this.load.run(site.pointsman.port, stopping.signal);
    const bulk = await startSmtpSource(site.pointsman.port, number);
    let note: string;
    try {
      note = await this.#inflict(site, fault, () => this.#endLoad(stopping, loading, bulk));
    } finally {
      await this.#endLoad(stopping, loading, bulk);
    }
    if (bulk) this.#bulk.push(bulk);
    const ms = Math.round(performance.now() - began);
    const after = this.#counts();
    return {
      round: { number, fault, trouble },
      ms,
      accepted: after.accepted - before.accepted,
      arrived: after.arrived - before.arrived,
      reports: after.reports - before.reports,
      turnedAway: after.turnedAway - before.turnedAway,
      note,
    };
  }

  #counts() {
    return {
      accepted: this.load.posted.length + this.#bulk.reduce((sum, { queueIds }) => sum + queueIds.size, 0),
      arrived: this.hop.arrivals.length,
      reports: this.hop.arrivals.filter(({ report }) => report !== undefined).length,
      turnedAway: this.load.turnedAway,
    };
  }

  async #endLoad(stopping: AbortController, loading: Promise<void>, bulk: Bulk | undefined): Promise<void> {
    stopping.abort();
    await Promise.all([loading, bulk?.stop()]);
  }

  #nextLife(): void {
    this.#life += 1;
    this.hop.life = this.#life;
    this.load.life = this.#life;
  }

  /** Ends with Pointsman dead. */
  async #inflict(site: TorturedSite, fault: Fault, endLoad: () => Promise<void>): Promise<string> {
    switch (fault.kind) {
      case 'kill':
        await pause(fault.after);
        await site.kill();
        return '';
      case 'window': {
        const reached = await Promise.race([site.pointsman.exited.then(() => true), pause(2_500, false)]);
        await site.kill();
        return reached ? '' : 'window not reached';
      }
      case 'busy': {
        await pause(fault.after);
        const release = site.lockStore();
        await pause(fault.hold);
        release();
        await pause(100);
        await site.kill();
        return '';
      }
      case 'disk':
        return this.#fillDisk(site, fault);
      case 'wal':
        return this.#spoilWal(site, fault, endLoad);
      case 'clock': {
        await pause(fault.after);
        await setClock(this.#clockFile, fault.jump);
        await pause(600);
        await setClock(this.#clockFile, 0);
        await pause(200);
        await site.kill();
        if (fault.jump > 5 * 86_400) this.#expiredIn = this.#life;
        if (fault.jump > 0) this.#ahead.add(fault.jump);
        return '';
      }
      default:
        return fault satisfies never;
    }
  }

  async #fillDisk(site: TorturedSite, fault: Fault & { kind: 'disk' }): Promise<string> {
    await pause(fault.after);
    const free = await site.fillDisk();
    const { turnedAway } = this.load;
    await pause(500);
    const refused = this.load.turnedAway - turnedAway;
    if (!fault.killWhileFull) {
      await free();
      await pause(200);
      await site.kill();
      return `${refused} turned away`;
    }
    await site.kill();
    // It may start on a full disk, or say why not; then there is room again, and it must.
    this.#nextLife();
    await site.start(this.#life, { mayFail: true });
    const stands = site.pointsman.running;
    if (stands) await site.kill();
    await free();
    return `${refused} turned away; a start on the full disk ${stands ? 'goes' : 'is refused'}`;
  }

  async #spoilWal(site: TorturedSite, fault: Fault & { kind: 'wal' }, endLoad: () => Promise<void>): Promise<string> {
    await pause(fault.after);
    if (fault.how !== 'cut') {
      await site.kill();
      const end = endOfWal(site.wal);
      if (!end) return 'no log to spoil';
      (fault.how === 'garbage' ? addGarbage : tearFrame)(site.wal, end, this.#chance);
      return '';
    }
    // Whoever has a 250 has it from a sync: all that is written after the last one may be taken back by a power cut.
    await endLoad();
    const synced = endOfWal(site.wal);
    await pause(150);
    await site.kill();
    const before = endOfWal(site.wal);
    if (!synced || !before || !cutBack(site.wal, synced)) return 'the log began anew meanwhile';
    this.#cutAfter.add(this.#life);
    return `${before.offset - synced.offset} octets taken back`;
  }

  /** The next hop is well again: all that waits must go. Then everybody is accounted for. */
  async account(): Promise<Account> {
    this.hop.heal();
    const dead = new Set<string>();
    const stored: Told[] = [];
    const sites = [this.#main, ...(this.#small ? [this.#small] : [])];
    for (const site of sites) {
      this.#nextLife();
      await site.start(this.#life);
      let settled = await this.#settles(site, this.#ahead.size > 0 ? 6_000 : 40_000);
      for (const jump of [...this.#ahead].sort((a, b) => a - b)) {
        if (settled) break;
        await site.stop();
        await setClock(this.#clockFile, jump + 60);
        await site.start(this.#life, { clockFile: this.#clockFile });
        settled = await this.#settles(site, jump === Math.max(...this.#ahead) ? 40_000 : 6_000);
      }
      if (!settled) throw new Error(await this.#left(site));
      for (const row of await site.pointsman.client.listQueue({ state: 'dead', limit: 10_000 })) {
        dead.add(`${row.queueId} ${row.path.mailbox}`);
      }
      await site.stop();
      stored.push(...site.storedEvents());
      const told = site.deadLetterFaults();
      const untold = [...dead].filter((key) => !told.has(key.split(' ')[0] ?? ''));
      if (site === this.#main && untold.length > 0)
        throw new Error(`no fault tells of the dead letters ${untold.join(', ')}`);
      const stray = site.strayFiles();
      if (stray.length > 0) throw new Error(`${stray.length} files of content belong to no message`);
    }
    this.#ahead.clear();
    const result = settleAccounts({
      posted: this.load.posted,
      unsure: this.load.unsure,
      arrivals: this.hop.arrivals,
      log: sites.flatMap(({ log }) => log),
      refused: this.hop.refused,
      dead,
      stored,
      expiredIn: this.#expiredIn,
      cutAfter: this.#cutAfter,
      bulk: this.#bulk,
    });
    for (const problem of result.problems.slice(0, 20)) {
      const queueId = /\b(1M\w{8,})/.exec(problem)?.[1];
      const came = this.hop.arrivals.filter((each) => each.queueId === queueId);
      const told = sites.flatMap(({ log }) => log).filter((line) => line.queueId === queueId);
      this.#say([problem, ...[...came, ...told].map((each) => `     ${JSON.stringify(each)}`)].join('\n'));
    }
    return result;
  }

  /** False when nothing has changed for so long. */
  async #settles(site: TorturedSite, patience: number): Promise<boolean> {
    let before = '';
    let since = performance.now();
    for (;;) {
      const { counts } = await site.pointsman.client.status();
      const { queued = 1, held = 0 } = counts?.deliveries ?? {};
      const { waiting = 1, tracked = 0, held: on = 0 } = counts?.tracked ?? {};
      if (queued + held + waiting + tracked + on === 0) return true;
      const state = JSON.stringify(counts);
      if (state !== before) [before, since] = [state, performance.now()];
      if (performance.now() - since > patience) return false;
      await pause(50);
    }
  }

  async #left({ pointsman, complaints }: TorturedSite): Promise<string> {
    const { counts } = await pointsman.client.status();
    const left = await pointsman.client.listQueue({ state: 'queued', limit: 5 });
    return `nothing happens any more, and ${JSON.stringify(counts)} is left: ${JSON.stringify(left)}\n${complaints}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#undo.disposeAsync();
  }
}
