// One campaign: rounds of faults under load against one state folder, its next hop in trouble; after every ten rounds the
// next hop heals, Pointsman has its way, and the books must balance.
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { missingPeers } from '../../support/peers.ts';
import { chanceFrom } from './chance.ts';
import { type Account, settleAccounts } from './ledger.ts';
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
  /** What happened besides. */
  readonly note: string;
}

const roundsPerAccount = 10;

export async function runCampaign(
  seed: number,
  count: number,
  say: (text: string) => void = () => undefined,
): Promise<Campaign> {
  const started = performance.now();
  const root = process.getuid?.() === 0;
  const clock = missingPeers(['faketime']).length === 0;
  const impossible = [...(root ? [] : ['disk']), ...(clock ? [] : ['clock'])];
  const rounds = planRounds(seed, count, (kind) => !impossible.includes(kind));
  await using torture = await Torture.prepare(seed, root && rounds.some(({ fault }) => fault.kind === 'disk'));
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
    unsure: torture.load.unsure,
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
  readonly #undo: AsyncDisposableStack;
  readonly #main: TorturedSite;
  readonly #small: TorturedSite | undefined;
  readonly #clockFile: string;
  readonly #bulk: { recipient: string; count: number }[] = [];
  readonly #cutAfter = new Set<number>();
  #life = 0;
  #expired = false;
  #clockWasAhead = false;

  private constructor(
    parts: { hop: TroubledHop; main: TorturedSite; small: TorturedSite | undefined; seed: number },
    undo: AsyncDisposableStack,
  ) {
    this.hop = parts.hop;
    this.#main = parts.main;
    this.#small = parts.small;
    this.load = new Load(chanceFrom(parts.seed + 2));
    this.#chance = chanceFrom(parts.seed + 3);
    this.#clockFile = join(parts.main.pointsman.folder, 'clock');
    this.#undo = undo;
  }

  static async prepare(seed: number, withDisk: boolean): Promise<Torture> {
    await using undo = new AsyncDisposableStack();
    const hop = undo.use(new TroubledHop(chanceFrom(seed + 1)));
    const port = await hop.listen();
    const main = undo.use(await TorturedSite.configure(port, { ownDisk: false }));
    const small = withDisk ? undo.use(await TorturedSite.configure(port, { ownDisk: true })) : undefined;
    return new Torture({ hop, main, small, seed }, undo.move());
  }

  async round({ number, fault, trouble }: Round): Promise<RoundResult> {
    const began = performance.now();
    const before = this.load.posted.length;
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
    const bulk = startSmtpSource(site.pointsman.port, number);
    let note: string;
    try {
      note = await this.#inflict(site, fault, () => this.#endLoad(stopping, loading, bulk));
    } finally {
      await this.#endLoad(stopping, loading, bulk);
    }
    if (bulk) this.#bulk.push({ recipient: bulk.recipient, count: bulk.count() });
    const ms = Math.round(performance.now() - began);
    return { round: { number, fault, trouble }, ms, accepted: this.load.posted.length - before, note };
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
        if (fault.jump > 5 * 86_400) this.#expired = true;
        if (fault.jump > 0) this.#clockWasAhead = true;
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
    const sites = [this.#main, ...(this.#small ? [this.#small] : [])];
    for (const site of sites) {
      this.#nextLife();
      await site.start(this.#life);
      await this.#untilSettled(site);
      for (const row of await site.pointsman.client.listQueue({ state: 'dead', limit: 10_000 }))
        dead.add(row.path.mailbox);
      await site.stop();
    }
    const result = settleAccounts({
      posted: this.load.posted,
      arrivals: this.hop.arrivals,
      log: sites.flatMap(({ log }) => log),
      refused: this.hop.refused,
      dead,
      expired: this.#expired,
      cutAfter: this.#cutAfter,
      bulk: this.#bulk,
    });
    for (const problem of result.problems.slice(0, 30)) {
      const id = /\b(1M\w{8,})/.exec(problem)?.[1];
      console.log('PROBLEM', problem);
      if (!id) continue;
      for (const a of this.hop.arrivals.filter((x) => x.queueId === id)) console.log('   A', JSON.stringify(a));
      for (const s of sites) for (const l of s.log.filter((x) => x.queueId === id)) console.log('   L', JSON.stringify(l).slice(0, 400));
    }
    return result;
  }

  async #untilSettled(site: TorturedSite): Promise<void> {
    const { client } = site.pointsman;
    const deadline = performance.now() + 40_000;
    for (;;) {
      const { counts } = await client.status();
      const { queued = 1, held = 0 } = counts?.deliveries ?? {};
      const { waiting = 1, tracked = 0, held: on = 0 } = counts?.tracked ?? {};
      if (queued + held + waiting + tracked + on === 0) return;
      if (performance.now() > deadline) {
        const left = await client.listQueue({ state: 'queued', limit: 5 });
        throw new Error(
          `after 40 s ${JSON.stringify(counts)} is left: ${JSON.stringify(left)}\nclock was ahead: ${this.#clockWasAhead}\n${site.complaints}`,
        );
      }
      await pause(50);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#undo.disposeAsync();
  }
}
