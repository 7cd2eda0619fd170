// Why this person, in the reader's language. Decisions and what became of a mail are on record in English clauses
// (routing/eligibility.ts, ranking.ts, win.ts, choose.ts; tracking/advance.ts); here each is said in another language. A
// clause that is not known (from an older version) stays as it is; a test makes every clause there is and looks for one
// that does.
import type { Language } from './words.ts';

/**
 * `{}` stands for words without a semicolon, `{n}` for a number, `{*}` for anything, `{state}` for a word of presence,
 * `{clause}` for other clauses.
 */
type Table = readonly (readonly [english: string, other: string])[];

const deStates: Readonly<Record<string, string>> = {
  chat: 'zum Reden da',
  available: 'da',
  away: 'kurz weg',
  xa: 'länger weg',
  dnd: 'nicht zu stören',
  offline: 'offline',
  unknown: 'unbekannt',
};

// The first that fits counts, so the special stands before the general.
const de: Table = [
  ['you are the next one', 'du bist an der Reihe'],
  ['nobody', 'niemand'],
  ['no answer', 'keine Antwort'],
  ['the only one', 'sonst ist niemand da'],
  ['the only one of tier {n}', 'sonst ist niemand der Stufe {} da'],
  ['first in order', 'steht an erster Stelle'],
  ['first in turn: the group has had no message', 'die Reihe beginnt, die Gruppe hatte noch keine Mail'],
  ['next in turn after {}', 'nach {} an der Reihe'],
  ['next in turn', 'als Nächstes an der Reihe'],
  ['goes on: weight {n}', 'ist noch dran, Gewicht {}'],
  ['in {n} turns', 'in {} Runden an der Reihe'],
  ['in {n} turn', 'in {} Runde an der Reihe'],
  ['number {n} in order', 'an Stelle {} der Reihe'],
  ['longest idle: {clause}', 'am längsten ohne Mail: {}'],
  ['least busy: {n} open', 'am wenigsten belastet: {} offen'],
  ['most spare: no limit', 'am meisten Platz: ohne Grenze'],
  ['most spare: {n} of {n}', 'am meisten Platz: {} von {} frei'],
  ['has more of the preferred skills', 'kann mehr von dem, was gewünscht ist'],
  ['handled the thread before', 'hat schon die Mail davor bearbeitet'],
  ['never had a message, times {}', 'hatte noch nie eine Mail, mal {}'],
  ['never had a message', 'hatte noch nie eine Mail'],
  ['last message {} ago, times {}', 'letzte Mail vor {}, mal {}'],
  ['last message {} ago', 'letzte Mail vor {}'],
  ['{n} units open, over {n}', '{} Einheiten offen, durch {}'],
  ['{n} unit open, over {n}', '{} Einheit offen, durch {}'],
  ['{n} units open', '{} Einheiten offen'],
  ['{n} unit open', '{} Einheit offen'],
  ['{n} open', '{} offen'],
  ['capacity without end', 'ohne Grenze'],
  ['{n} of {n} units spare', '{} von {} Einheiten frei'],
  ['tier {n}', 'Stufe {}'],
  ['{n} preferred skills', 'kann {} von dem, was gewünscht ist'],
  ['{n} preferred skill', 'kann {} von dem, was gewünscht ist'],
  ['has {n} of {n} units, and this takes {n}', 'hat {} von {} Einheiten, und dies braucht {}'],
  ['has {n} of {n} units', 'hat {} von {} Einheiten'],
  ['had mail {} ago', 'bekam vor {} Mail'],
  ['held mail goes to one person every {}', 'Zurückgehaltenes bekommt jeder nur alle {}'],
  ['is absent until {}', 'ist abwesend bis {}'],
  ['does not work now ({})', 'arbeitet jetzt nicht ({})'],
  ['is idle for {}', 'ist seit {} nicht am Gerät'],
  ['was {state}, but that is {} old (at most {} counts)', 'war {}, aber das ist {} her (höchstens {} gelten)'],
  ['was {state} {} ago', 'war {} (vor {})'],
  ['is {state} for {}', 'ist seit {2} {1}'],
  ['is {state}', 'ist {}'],
  ['{state} for {}', 'seit {2} {1}'],
  ['presence unknown: {clause}', 'Anwesenheit unbekannt: {}'],
  ['never seen', 'nie gesehen'],
  ['does not share it with us', 'teilt sie uns nicht mit'],
  ['the XMPP link is down', 'die XMPP-Verbindung steht nicht'],
  ['the XMPP link has just come back', 'die XMPP-Verbindung ist eben erst zurück'],
  ['their server answers with an error', 'deren Server antwortet mit einem Fehler'],
  ['their server cannot be reached', 'deren Server ist nicht zu erreichen'],
  ['none of their clients answers', 'kein Gerät antwortet'],
  ['their domain is not a trusted one', 'der Domain wird nicht vertraut'],
  ['has no JID', 'hat keine JID'],
  ['lacks the skill {}', 'kann das Nötige nicht: {}'],
  ['wrote it', 'hat sie geschrieben'],
  ['left out by {*}', 'ausgenommen durch {}'],
  ['{n} of {n} members of {} eligible', '{} von {} Mitgliedern von {} kommen infrage'],
  ['{n} older wait in this group: it does not overtake them', '{} ältere warten in dieser Gruppe und gehen vor'],
  ['to all of them', 'geht an alle'],
  ['offered to all of them', 'allen angeboten'],
  ['picked by {}', 'von {} gewählt'],
  ['nobody picked', 'niemand hat gewählt'],
  ['{} may pick for {}', '{} kann {} lang wählen'],
  ['no operator could be asked to pick', 'von der Aufsicht war niemand zu fragen'],
  ['the hold has run out', 'die Wartezeit ist um'],
  ['holding cannot help: nobody is left to wait for', 'warten hilft nicht: es bleibt niemand'],
  ['held for up to {} until somebody is', 'wartet bis zu {}, dass jemand da ist'],
  ['accepted already: waits here', 'schon angenommen: wartet hier'],
  ['nobody has come in all that time', 'in all der Zeit kam niemand'],
  ['observed only: {*}', 'nur beobachtet: {}'],
  ['refused: {*}', 'abgelehnt: {}'],
  ['fallback: on to {}, unchanged', 'Ausweg: unverändert weiter an {}'],
  ['fallback: all {n} members', 'Ausweg: alle {} Mitglieder'],
  ['fallback: {}', 'Ausweg: {}'],
  ['had it for {} without an answer', 'hatte sie {} ohne Antwort'],
  ['had it for {} when an operator moved it on', 'hatte sie {}, dann bewegte sie die Aufsicht weiter'],
  ['had it when an operator moved it on', 'hatte sie, dann bewegte sie die Aufsicht weiter'],
  ['everyone is asked', 'alle werden gefragt'],
  ['was asked at {} UTC, with everyone', 'wurde um {} UTC mit allen gefragt'],
  ['had it without an answer', 'hatte sie ohne Antwort'],
  ['has it and has not answered', 'hat sie und hat nicht geantwortet'],
  ['has passed it to {}', 'gab sie an {} weiter'],
  ['has passed', 'hat abgelehnt'],
  ['has released it', 'hat sie freigegeben'],
  ['{} gave it to {}', '{} gab sie {}'],
  ['went offline while having it', 'ging offline, als sie dort war'],
  ['their mailbox refused it ({*})', 'das Postfach nahm sie nicht an ({})'],
  ['their mailbox refused it', 'das Postfach nahm sie nicht an'],
  ['took it {} ago and has not answered', 'nahm sie vor {} und hat nicht geantwortet'],
  ['took it and has not answered', 'nahm sie und hat nicht geantwortet'],
  ['has not kept a promise', 'hat ein Versprechen nicht gehalten'],
  ['has said away until {}', 'ist abgemeldet bis {}'],
  ['has said away', 'ist abgemeldet'],
  ['you: {clause}', 'du: {}'],
  ['{}: {clause}', '{}: {}'],
];

interface Pattern {
  readonly english: RegExp;
  readonly kinds: readonly string[];
  readonly other: string;
}

const shapes: Readonly<Record<string, string>> = {
  '': '(?:(?!; ).)+?',
  n: '-?\\d+(?:\\.\\d+)?',
  state: Object.keys(deStates).join('|'),
};

const compile = (table: Table): readonly Pattern[] =>
  table.map(([english, other]) => {
    const kinds: string[] = [];
    const source = english
      .split(/\{(\w*|\*)\}/)
      .map((part, index) => {
        if (index % 2 === 0) return part.replace(/[.*+?^$()|[\]\\]/g, '\\$&');
        kinds.push(part);
        return `(${shapes[part] ?? '.+'})`;
      })
      .join('');
    return { english: new RegExp(`^${source}$`, 's'), kinds, other };
  });

const tables: Readonly<Partial<Record<Language, readonly Pattern[]>>> = { de: compile(de) };
const stateWords: Readonly<Partial<Record<Language, Readonly<Record<string, string>>>>> = { de: deStates };

/** A clause, or several with semicolons between. @param unknown told of each that has no words in this language */
export function reasonIn(
  language: Language,
  english: string,
  unknown: (clause: string) => void = () => undefined,
): string {
  const table = tables[language];
  if (!table) return english;
  const whole = said(english, language, table);
  if (whole !== undefined) return whole;
  return english
    .split('; ')
    .map((clause) => {
      const words = said(clause, language, table);
      if (words === undefined) unknown(clause);
      return words ?? clause;
    })
    .join('; ');
}

export const stateIn = (language: Language, state: string): string => stateWords[language]?.[state] ?? state;

function said(clause: string, language: Language, table: readonly Pattern[]): string | undefined {
  for (const { english, kinds, other } of table) {
    const found = english.exec(clause);
    if (!found) continue;
    const parts = kinds.map((kind, index) => {
      const part = found[index + 1] ?? '';
      return kind === 'state' ? stateIn(language, part) : kind === 'clause' ? inner(part, language, table) : part;
    });
    if (parts.includes(undefined)) continue;
    let next = 0;
    return other.replace(/\{(\d?)\}/g, (_, number: string) => {
      next += 1;
      return parts[(number === '' ? next : Number(number)) - 1] ?? '';
    });
  }
  return undefined;
}

/** Undefined when any of it is not known: then the clause around it is none of ours either. */
function inner(english: string, language: Language, table: readonly Pattern[]): string | undefined {
  const parts = english.split('; ').map((clause) => said(clause, language, table));
  return parts.includes(undefined) ? undefined : parts.join('; ');
}
