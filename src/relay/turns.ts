// Whose turn it is. What is to be attempted waits here, in memory, while all slots are taken: a slot that becomes free goes
// to the next hops in turn, and of one next hop to the senders in turn, so that neither a slow next hop nor a flood from
// one sender makes the others wait for more than their share. What an escalation asks for goes before all that.
// - A next hop may take slots as long as it has fewer than a few times what is still free (dynamic thresholds, Choudhury
//   and Hahne 1998): one alone gets most of them, several get less each, and some are always left for the next one.
// - Room to wait is given out in the same way, to next hops and to senders. What finds none waits in the store.
export interface Job {
  /** Where it goes, most likely: of mail for a group that is known when somebody is chosen. */
  readonly hop: string;
  readonly sender: string;
  readonly urgent: boolean;
  /** What it keeps in memory. */
  readonly octets: number;
  /** `left`: it is done with the next hop, and what remains is ours. */
  readonly run: (left: () => void) => Promise<void>;
}

export interface TurnsOptions {
  /** Attempts at one time. */
  readonly slots: number;
  /** Jobs that may wait, and the octets they may keep. */
  readonly waiting: number;
  readonly octets: number;
  /** How many a next hop may have at one time; none when it gets no more just now. */
  readonly most: (hop: string) => number;
}

interface Waiting extends Job {
  readonly done: () => void;
}

interface Lane {
  running: number;
  waiting: number;
  readonly urgent: Waiting[];
  /** In the order of their turns. */
  readonly senders: Map<string, Waiting[]>;
}

const generosity = 4;

export class Turns {
  readonly #options: TurnsOptions;
  /** In the order of their turns. */
  readonly #lanes = new Map<string, Lane>();
  #running = 0;
  #waiting = 0;
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

  /** Whether one more may come: at once or to wait. `coming`: that many others may be on their way. */
  hasRoom({ hop, sender, urgent, octets }: Omit<Job, 'run'>, coming = 0): boolean {
    const { slots } = this.#options;
    if (this.#waiting === 0 && this.#running + coming < slots && this.#mayRun(hop)) return true;
    const free = this.#options.waiting - this.#waiting - coming;
    if (free <= 0 || this.#octets + octets > this.#options.octets) return false;
    const lane = this.#lanes.get(hop);
    if (urgent || !lane) return true;
    return lane.waiting < 2 * free && (lane.senders.get(sender)?.length ?? 0) < free;
  }

  /** Resolves when it has run. */
  take(job: Job): Promise<void> {
    // Nobody before it: no need to wait in line.
    if (this.#waiting === 0 && this.#mayRun(job.hop)) return this.#run(job);
    return new Promise((done) => {
      const lane = this.#lane(job.hop);
      const waiting = { ...job, done };
      if (job.urgent) lane.urgent.push(waiting);
      else {
        const line = lane.senders.get(job.sender);
        if (line) line.push(waiting);
        else lane.senders.set(job.sender, [waiting]);
      }
      lane.waiting += 1;
      this.#waiting += 1;
      this.#octets += job.octets;
      this.pump();
    });
  }

  /** Gives out what slots there are: whenever one may have become free, or a next hop have come back. */
  pump(): void {
    // What is started may end at once, and pump again.
    if (this.#pumping) return;
    this.#pumping = true;
    for (let next = this.#next(); next; next = this.#next()) {
      const { done } = next;
      void this.#run(next).then(done, done);
    }
    this.#pumping = false;
  }

  async #run(job: Job): Promise<void> {
    const lane = this.#lane(job.hop);
    lane.running += 1;
    this.#running += 1;
    let gone = false;
    const left = (): void => {
      if (gone) return;
      gone = true;
      lane.running -= 1;
      if (lane.running === 0 && lane.waiting === 0) this.#lanes.delete(job.hop);
      else if (this.#waiting > 0) this.pump();
    };
    try {
      await job.run(left);
    } finally {
      this.#running -= 1;
      left();
      if (this.#waiting > 0) this.pump();
    }
  }

  #next(): Waiting | undefined {
    if (this.#waiting === 0 || this.#running >= this.#options.slots) return undefined;
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
      const [sender, line] = lane.senders.entries().next().value ?? ['', []];
      job = line.shift();
      lane.senders.delete(sender);
      if (line.length > 0) lane.senders.set(sender, line);
    }
    if (!job) return undefined;
    lane.waiting -= 1;
    this.#waiting -= 1;
    this.#octets -= job.octets;
    return job;
  }

  #mayRun(hop: string): boolean {
    const free = this.#options.slots - this.#running;
    if (free <= 0) return false;
    const running = this.#lanes.get(hop)?.running ?? 0;
    return running < generosity * free && running < this.#options.most(hop);
  }

  #lane(hop: string): Lane {
    const known = this.#lanes.get(hop);
    if (known) return known;
    const lane: Lane = { running: 0, waiting: 0, urgent: [], senders: new Map() };
    this.#lanes.set(hop, lane);
    return lane;
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
