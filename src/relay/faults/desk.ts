// The desk for faults: each opens once, has an owner when somebody claims it, and clears. Every change of state is one
// line to the operators, told even when it was over before anybody could be reached.
import { formatDuration, type Instant } from '../../clock.ts';
import { describeError } from '../../mail/error.ts';
import { type FaultId, faultWords, isFaultId, kindOf, thresholds } from '../../notify/faults.ts';
import type { Phrases } from '../../notify/phrases.ts';
import { oneLine } from '../../notify/text.ts';
import { RefusedError } from '../../operations.ts';
import type { FaultAction } from '../../oversight.ts';
import type { BareJid } from '../../presence/jid.ts';
import type { PersonName } from '../../routing/rules.ts';
import type { Fault } from '../../store/store.ts';
import type { Request } from '../commands/request.ts';
import { casTries, type Stage } from '../parts.ts';
import type { Announcer } from './announcing.ts';

export interface Desk {
  raise(kind: FaultId, subject: string, text: string): Promise<void>;
  /** Its cause is gone. */
  clear(kind: FaultId, subject: string): Promise<void>;
  /** What open faults of this kind are about. */
  subjects(kind: FaultId): Promise<readonly string[]>;
  /** A command about a fault (`claim f3`), or about the only one there is; null when it is about something else. */
  answer(request: Request, delayed: boolean): Promise<{ readonly text: string } | null>;
  /** From the console: `by` is who, as it is recorded. @throws RefusedError */
  byHand(number: number, action: FaultAction, by: string): Promise<Fault>;
  /** Lines for the list of an operator. */
  list(request: Request): Promise<string[]>;
  /** Somebody no rule names has given a command. */
  stranger(from: BareJid | null): void;
  /** Claims of somebody who has gone lapse. */
  left(person: PersonName): Promise<void>;
  /** Claims that are too old lapse; what could not be told is told. */
  tend(): Promise<void>;
  /** When the last command of a stranger came, and how many in the minute before. */
  strangers(): { readonly lastAt: Instant | null; readonly lately: number };
}

export const nameOf = ({ number }: Pick<Fault, 'number'>): string => `f${number}`;

export function createDesk(stage: Stage, announcer: Announcer): Desk {
  const strangerTimes: Instant[] = [];
  /** Kept so that a cause that is not there costs no look into the store. Null until it was read. */
  let open: Map<string, Fault> | null = null;
  let telling: Promise<void> = Promise.resolve();
  const keyOf = (kind: string, subject: string): string => `${kind}\n${subject}`;

  async function opened(): Promise<Map<string, Fault>> {
    open ??= new Map((await stage.store.faults('open')).map((fault) => [keyOf(fault.kind, fault.subject), fault]));
    return open;
  }

  /** Looks, tries, and looks again when somebody was quicker. */
  async function change(
    number: number,
    look: (fault: Fault) => Partial<Fault> | string,
  ): Promise<{ fault: Fault } | string> {
    for (let attempt = 1; attempt <= casTries; attempt += 1) {
      const before = (await stage.store.faults('open')).find((each) => each.number === number);
      if (!before) return 'gone';
      const changes = look(before);
      if (typeof changes === 'string') return changes;
      const fault = { ...before, ...changes, revision: before.revision + 1 };
      if ((await stage.store.changeFault(fault)) === 'stale') continue;
      const known = await opened();
      if (fault.clearedAt === null) known.set(keyOf(fault.kind, fault.subject), fault);
      else known.delete(keyOf(fault.kind, fault.subject));
      tell();
      return { fault };
    }
    throw new Error(`changing the fault f${number} was overtaken ${casTries} times`);
  }

  /** One after the other, so that lines come in the order of what they tell. */
  function tell(): void {
    telling = telling
      .then(async () => {
        for (const fault of await stage.store.faults('untold')) {
          if (!(await announcer.tell(fault))) continue;
          await stage.store.announcedFault(fault.number, fault.revision);
        }
      })
      .catch((error: unknown) => stage.log.warn({ cause: describeError(error) }, 'faults could not be told of'));
  }

  async function raise(kind: FaultId, subject: string, text: string): Promise<void> {
    const known = await opened();
    const now = stage.clock.now();
    const before = known.get(keyOf(kind, subject));
    const { severity } = kindOf(kind);
    const fault = await stage.store.openFault({ kind, subject, severity, text: oneLine(text, 300), at: now });
    known.set(keyOf(kind, subject), fault);
    if (!before) {
      stage.log.warn({ fault: kind, subject, severity, number: fault.number }, fault.text);
      tell();
    } else await announcer.repeat(fault);
  }

  async function clear(kind: FaultId, subject: string): Promise<void> {
    const fault = (await opened()).get(keyOf(kind, subject));
    if (!fault) return;
    await change(fault.number, () => ({ clearedAt: stage.clock.now() }));
    stage.log.info({ fault: kind, subject, number: fault.number }, 'cleared');
  }

  async function free(fault: Fault, why: string): Promise<void> {
    const { owner, ownedSince } = fault;
    await change(fault.number, (now) =>
      now.owner === owner && now.ownedSince === ownedSince ? { owner: null, ownedSince: null } : 'moved',
    );
    stage.log.info({ fault: fault.kind, number: fault.number, owner, why }, 'a claim has lapsed');
  }

  async function act(request: Request, fault: Fault): Promise<string> {
    const { person, command, p } = request;
    const id = nameOf(fault);
    const now = stage.clock.now();
    switch (command.verb) {
      case 'claim':
      case 'yes':
      case 'ack': {
        const byHand = command.verb === 'ack' && isFaultId(fault.kind) && kindOf(fault.kind).byHand === true;
        const result = await change(fault.number, (each) => {
          if (each.owner !== null && each.owner !== person.name) return p.faultOwned(id, each.owner);
          if (byHand) return { clearedAt: now, clearedBy: person.name };
          return each.owner === person.name ? p.faultOwned(id, p.you) : { owner: person.name, ownedSince: now };
        });
        if (typeof result === 'string') return result === 'gone' ? p.faultGone(id) : result;
        return byHand ? p.faultGone(id) : p.faultOwned(id, request.room === null ? p.you : person.name);
      }
      case 'release':
      case 'pass':
      case 'no': {
        const result = await change(fault.number, (each) =>
          each.owner === person.name
            ? { owner: null, ownedSince: null }
            : each.owner === null
              ? p.faultFree(id)
              : p.faultOwned(id, each.owner),
        );
        if (typeof result === 'string') return result === 'gone' ? p.faultGone(id) : result;
        return p.faultFree(id);
      }
      case 'show':
      case 'why': {
        const words = isFaultId(fault.kind) ? faultWords(fault.kind, request.language) : null;
        return [line(fault, now, p), ...(words ? [words.meaning, p.faultDo(words.action)] : [])].join('\n');
      }
      case 'who':
        return fault.owner === null ? p.faultFree(id) : p.faultOwned(id, fault.owner);
      default:
        return p.unclearAfter(id, command.verb);
    }
  }

  return {
    raise,
    clear,

    async subjects(kind) {
      return [...(await opened()).values()].flatMap((fault) => (fault.kind === kind ? [fault.subject] : []));
    },

    async answer(request, delayed) {
      const { command, person, p, seen } = request;
      if (seen !== null || command.id === undefined) return null;
      const number = /^f([1-9]\d{0,8})$/.exec(command.id)?.[1];
      if (number === undefined) return null;
      if (!person.operator && !announcer.isTarget(person)) return { text: p.operatorsOnly(command.verb) };
      if (delayed && !['show', 'why', 'who'].includes(command.verb)) return { text: p.delayedOther(command.verb) };
      const fault = (await stage.store.faults('open')).find((each) => each.number === Number(number));
      if (!fault) return { text: p.faultGone(command.id) };
      return { text: await act(request, fault) };
    },

    async byHand(number, action, by) {
      const now = stage.clock.now();
      const result = await change(number, (fault) => {
        if (action === 'clear') {
          if (!isFaultId(fault.kind) || !kindOf(fault.kind).byHand)
            return 'it clears by itself when its cause is gone; nobody can say so';
          return fault.owner !== null && fault.owner !== by
            ? `${fault.owner} has it`
            : { clearedAt: now, clearedBy: by };
        }
        if (action === 'release') return fault.owner === null ? 'nobody has it' : { owner: null, ownedSince: null };
        if (fault.owner === by) return 'you have it already';
        return fault.owner === null ? { owner: by, ownedSince: now } : `${fault.owner} has it`;
      });
      if (typeof result !== 'string') return result.fault;
      throw new RefusedError(result === 'gone' ? `f${number} is over, or there was none` : `f${number}: ${result}`);
    },

    async list({ person, p }) {
      if (!person.operator && !announcer.isTarget(person)) return [];
      const faults = await stage.store.faults('open');
      if (faults.length === 0) return [];
      const now = stage.clock.now();
      const lines = faults.slice(0, 10).map((fault) => line(fault, now, p));
      return [p.faultsHead, ...lines, ...(faults.length > lines.length ? [p.more(faults.length - lines.length)] : [])];
    },

    stranger() {
      const now = stage.clock.now();
      strangerTimes.push(now);
      // One more than it takes: the list must not grow with the flood.
      if (strangerTimes.length > thresholds.strangersPerMinute + 1) strangerTimes.shift();
    },

    strangers() {
      const now = stage.clock.now();
      const lately = strangerTimes.filter((at) => now - at < 60_000).length;
      return { lastAt: strangerTimes.at(-1) ?? null, lately };
    },

    async left(person) {
      for (const fault of (await opened()).values()) if (fault.owner === person) await free(fault, 'went offline');
    },

    async tend() {
      const now = stage.clock.now();
      for (const fault of (await opened()).values()) {
        if (fault.ownedSince !== null && now - fault.ownedSince >= thresholds.claimLasts) await free(fault, 'silent');
      }
      tell();
      await telling;
    },
  };
}

/** `f3 error, 12m: Next hop default … (with alice)` */
function line(fault: Fault, now: Instant, p: Phrases): string {
  const owner = fault.owner === null ? '' : ` (${fault.owner})`;
  const age = formatDuration(now - fault.openedAt);
  return `${nameOf(fault)} ${p.severities[fault.severity]}, ${age}: ${oneLine(fault.text, 140)}${owner}`;
}
