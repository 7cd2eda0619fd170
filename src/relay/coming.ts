// Presence as the relay hears of it: by name, and all that comes in one turn together, because after a new session with
// the chat server that is everybody.
import type { BoardChange as PersonChange } from '../presence/board.ts';
import type { BareJid } from '../presence/jid.ts';
import type { Person, Rules } from '../routing/rules.ts';
import { wakeHeldOf } from './choosing.ts';
import type { Stage } from './parts.ts';
import { awaitingInPlaceOf } from './standing-in.ts';

/** Every change of presence from now on, in batches; each is recorded first. */
export function hearPresence(
  stage: Stage,
  heard: (changes: readonly PersonChange[]) => Promise<void>,
  inBackground: (what: string, work: Promise<unknown>) => void,
): void {
  const waiting: PersonChange[] = [];
  const take = (change: PersonChange) => {
    waiting.push(change);
    if (waiting.length > 1) return;
    queueMicrotask(() => {
      const changes = waiting.splice(0);
      inBackground('recording presence', record(stage, changes));
      inBackground('a change of presence', heard(changes));
    });
  };
  const { watcher } = stage;
  if (watcher.onPersonChange) {
    watcher.onPersonChange(take);
    return;
  }
  watcher.onChange(({ jid, ...change }) => {
    const person = personWithJid(stage.rules.current(), jid);
    take({ person: person?.name ?? jid, jid, change });
  });
}

/**
 * What is recorded is known by JID: of several people with one, once. Without the single clients: the roll-up is what
 * was decided by, and after a new session this is written of everybody.
 */
async function record(stage: Stage, changes: readonly PersonChange[]): Promise<void> {
  const rules = stage.rules.current();
  const theirs = changes.flatMap(({ person, jid, change }) => {
    const owner = jid === null ? undefined : personWithJid(rules, jid);
    if (jid === null || (owner && owner.name !== person)) return [];
    const { resources: _, ...presence } = change.presence;
    return [{ jid, ...change, presence }];
  });
  if (theirs.length > 0) await stage.store.recordPresence(theirs);
}

/**
 * What is held for the groups of those who changed looks again: also when they are now known to be away, for the last
 * one it waited for may have been heard of.
 */
export async function wakeFor(stage: Stage, changes: readonly PersonChange[]): Promise<void> {
  // The usual case, for each of thousands of changes.
  if (stage.ledger.holding().length === 0) return;
  const known = changes.filter(({ change }) => change.presence.state !== 'unknown');
  const names = new Set(known.map(({ person }) => person));
  const own = [...names].flatMap((person) => stage.ledger.awaiting(person));
  const groups = new Set([...own, ...awaitingInPlaceOf(stage, names)]);
  for (const group of groups) await wakeHeldOf(stage, group, stage.clock.now());
}

/** Built once for each version of the rules: presence changes often, and companies are large. */
const peopleByJid = new WeakMap<Rules, ReadonlyMap<BareJid, Person>>();

function personWithJid(rules: Rules, jid: BareJid): Person | undefined {
  let known = peopleByJid.get(rules);
  if (!known) {
    // Of two with one JID the one listed first, as ever.
    const entries = [...rules.people.values()].flatMap((person) =>
      person.jid === null ? [] : [[person.jid, person] as const],
    );
    known = new Map(entries.reverse());
    peopleByJid.set(rules, known);
  }
  return known.get(jid);
}
