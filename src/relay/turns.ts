// Whose turn it is. What is to be attempted waits here, in memory, while all slots are taken: a slot that becomes free goes
// to the next hops in turn, and of one next hop to the senders in turn, so that neither a slow next hop nor a flood from
// one sender makes the others wait for more than their share. What an escalation asks for goes before all that.
// - A next hop may take slots as long as it has fewer than a few times what is still free (dynamic thresholds, Choudhury
//   and Hahne 1998): one alone gets most of them, several get less each, and some are always left for the next one.
// - Room to wait is given out in the same way, to next hops and to senders. What finds none waits in the store.
export interface Place {
  /** Where it goes, most likely: of mail for a group that is known when somebody is chosen. */
  readonly hop: string;
  readonly sender: string;
  readonly urgent: boolean;
  /** What it keeps in memory. */
  readonly octets: number;
}

/** `left`: it is done with the next hop, and what remains is ours. */
export type Run = (left: () => void) => Promise<void>;

export interface TurnsOptions {
  /** Attempts at one time. */
  readonly slots: number;
  /** What may wait, and the octets that it may keep. */
  readonly waiting: number;
  readonly octets: number;
  /** How many a next hop may have at one time; none when it gets no more just now. */
  readonly most: (hop: string) => number;
}

interface Waiting {
  readonly place: Place;
  readonly run: Run;
  readonly done: () => void;
}

interface Line {
  /** Reserved and not yet there, and those that wait. */
  count: number;
  readonly jobs: Waiting[];
}

interface Lane {
  running: number;
  waiting: number;
  /** Reserved or waiting. */
  count: number;
  readonly urgent: Waiting[];
  /** In the order of their turns. */
  readonly senders: Map<string, Line>;
}

const generosity = 4;

export class Turns {
  readonly #options: TurnsOptions;
  /** In the order of their turns. */
  readonly #lanes = new Map<string, Lane>();
  #running = 0;
  #waiting = 0;
  /** Reserved or waiting. */
  #count = 0;
  #octets = 0;
  #pumping = false;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Room for one more, to wait if it must. After true, `take` or `giveBack` must be called. */
  reserve(place: Place): boolean {
    const { hop, sender, urgent, octets } = place;
    const free = this.#options.waiting - this.#count;
    const known = this.#lanes.get(hop);
    const inLine = known?.senders.get(sender)?.count ?? 0;
    // Nobody waits for anything: one more is no flood.
    const alone = (known?.count ?? 0) === 0;
    if (free <= 0 || (this.#octets + octets > this.#options.octets && !alone)) return false;
    if (!urgent && !alone && ((known?.count ?? 0) >= 2 * free || inLine >= free)) return false;
    this.#move(this.#lane(hop), place, 1);
    return true;
  }

  giveBack(place: Place): void {
    const lane = this.#lane(place.hop);
    this.#move(lane, place, -1);
    this.#forget(place.hop, lane);
  }

  /** What was reserved. Resolves when it has run. */
  take(place: Place, run: Run): Promise<void> {
    const lane = this.#lane(place.hop);
    // Nobody before it: no need to wait in line.
    if (this.#waiting === 0 && this.#mayRun(place.hop)) {
      this.#move(lane, place, -1);
      return this.#start(place.hop, run);
    }
    return new Promise((done) => {
      const line = place.urgent ? lane.urgent : lane.senders.get(place.sender)?.jobs;
      line?.push({ place, run, done });
      lane.waiting += 1;
      this.#waiting += 1;
      this.pump();
    });
  }

  /** Gives out what slots there are: whenever one may have become free, or a next hop have come back. */
  pump(): void {
    // What is started may end at once, and pump again.
    if (this.#pumping) return;
    this.#pumping = true;
    for (let next = this.#next(); next; next = this.#next()) {
      const { place, run, done } = next;
      void this.#start(place.hop, run).then(done, done);
    }
    this.#pumping = false;
  }

  async #start(hop: string, run: Run): Promise<void> {
    const lane = this.#lane(hop);
    lane.running += 1;
    this.#running += 1;
    let gone = false;
    const left = (): void => {
      if (gone) return;
      gone = true;
      lane.running -= 1;
      this.#forget(hop, lane);
      if (this.#waiting > 0) this.pump();
    };
    try {
      await run(left);
    } finally {
      this.#running -= 1;
      left();
      if (this.#waiting > 0) this.pump();
    }
  }

  #next(): Waiting | undefined {
    if (this.#waiting === 0) return undefined;
    let ordinary: [string, Lane] | undefined;
    for (const [hop, lane] of this.#lanes) {
      if (lane.waiting === 0 || !this.#mayRun(hop)) continue;
      if (lane.urgent.length > 0) return this.#pick(hop, lane);
      ordinary ??= [hop, lane];
    }
    return ordinary && this.#pick(...ordinary);
  }

  /** Whoever had their turn goes to the end of the line. */
  #pick(hop: string, lane: Lane): Waiting | undefined {
    this.#lanes.delete(hop);
    this.#lanes.set(hop, lane);
    let job = lane.urgent.shift();
    if (!job) {
      for (const [sender, line] of lane.senders) {
        job = line.jobs.shift();
        if (!job) continue;
        lane.senders.delete(sender);
        lane.senders.set(sender, line);
        break;
      }
    }
    if (!job) return undefined;
    lane.waiting -= 1;
    this.#waiting -= 1;
    this.#move(lane, job.place, -1);
    return job;
  }

  #move(lane: Lane, { sender, urgent, octets }: Place, by: 1 | -1): void {
    lane.count += by;
    this.#count += by;
    this.#octets += by * octets;
    if (urgent) return;
    const line = lane.senders.get(sender);
    if (!line) lane.senders.set(sender, { count: by, jobs: [] });
    else {
      line.count += by;
      if (line.count === 0) lane.senders.delete(sender);
    }
  }

  #mayRun(hop: string): boolean {
    const free = this.#free();
    if (free <= 0) return false;
    const running = this.#lanes.get(hop)?.running ?? 0;
    return running < generosity * free && running < this.#options.most(hop);
  }

  /** What hangs holds no slots of the others. */
  #free(): number {
    const { slots, most } = this.#options;
    if (2 * this.#running < slots) return slots - this.#running;
    let hung = 0;
    for (const [hop, lane] of this.#lanes) if (lane.running > 0 && most(hop) === 0) hung += lane.running;
    return slots - this.#running + hung;
  }

  #lane(hop: string): Lane {
    const known = this.#lanes.get(hop);
    if (known) return known;
    const lane: Lane = { running: 0, waiting: 0, count: 0, urgent: [], senders: new Map() };
    this.#lanes.set(hop, lane);
    return lane;
  }

  #forget(hop: string, lane: Lane): void {
    if (lane.running === 0 && lane.count === 0) this.#lanes.delete(hop);
  }
}

/** Room given out by the same rule: who has much of it gets more only while much is free. */
export class Shares {
  readonly #most: number;
  readonly #held = new Map<string, number>();
  #sum = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** `urgent`: whatever it has. After true, `leave` must be called. */
  enter(name: string, urgent: boolean): boolean {
    const held = this.#held.get(name) ?? 0;
    if (!urgent && held >= 2 * (this.#most - this.#sum)) return false;
    this.#held.set(name, held + 1);
    this.#sum += 1;
    return true;
  }

  leave(name: string): void {
    const held = (this.#held.get(name) ?? 0) - 1;
    if (held > 0) this.#held.set(name, held);
    else this.#held.delete(name);
    this.#sum -= 1;
  }
}

/**
 * Who is behind a message: one name for all that a program sends, also where it writes another reverse-path for each
 * recipient (`news-4711=eve=example.net@…`, `bounce+a1b2@…`). Reports have none: they are told apart by whose they are.
 */
export function senderOf(reversePath: string, client: string): string {
  const at = reversePath.lastIndexOf('@');
  if (at < 0) return client;
  const local = reversePath.slice(0, at);
  const end = local.search(/[^A-Za-z.]/);
  return `${end <= 0 ? local : local.slice(0, end)}${reversePath.slice(at)}`.toLowerCase();
}
