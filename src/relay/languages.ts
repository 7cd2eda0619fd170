// Which language somebody is spoken to in, where no mail says: a person's is their own, or that of their groups; a room's is the one of
// all groups, when it is one.
import type { NotifyTarget } from '../notify/notifier.ts';
import type { BareJid } from '../presence/jid.ts';
import type { Language } from '../routing/rules.ts';
import type { Stage } from './parts.ts';

type Ruled = Pick<Stage, 'rules'>;

export const languageOfTarget = (stage: Ruled, to: NotifyTarget): Language =>
  to.kind === 'room' ? languageOfAll(stage) : languageOfPerson(stage, to.jid);

export function languageOfAll({ rules }: Ruled): Language {
  const spoken = new Set([...rules.current().groups.values()].map(({ language = 'en' }) => language));
  const [only = 'en', ...others] = spoken;
  return others.length === 0 ? only : 'en';
}

/** Who is in no group hears the language of all. */
function languageOfPerson(stage: Ruled, jid: BareJid): Language {
  const { people, groups } = stage.rules.current();
  const person = [...people.values()].find((each) => each.jid === jid);
  if (person?.language) return person.language;
  const theirs = [...groups.values()].find(({ members }) => members.includes(person?.name ?? ''));
  return theirs ? (theirs.language ?? 'en') : languageOfAll(stage);
}
