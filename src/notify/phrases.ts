// What is said back to a command: one line each, in English and German. The German side is typed by the English one, so
// that neither can miss a phrase. Arguments come from outside only through oneLine().
import { type Duration, formatDuration } from '../clock.ts';
import type { Language } from './words.ts';

const en = {
  locale: 'en-GB',
  nobody: 'nobody',
  you: 'you',
  quote: (text: string) => `“${text}”`,
  tooMany: 'Too many commands at once; please wait a minute.',
  nothingOpenNow: 'Nothing open',
  howItGoes: (count: number, minutes: number | null) =>
    `${count} open${minutes === null ? '' : `, oldest ${minutes} min`}`,
  free: 'free',
  askMail: 'Mail',
  askLasting: 'For how long (30m, 2h)',
  askName: 'To whom',
  askPick: 'The number or the name',
  askUntil: 'Until (14:00, 2h, or empty)',
  askGroup: 'Which group',
  yours: (id: string, what: string) => `Thank you. #${id} is yours, ${what}; nobody else will be asked.`,
  takenBy: (id: string, by: string) => `#${id} is taken by ${by}.`,
  owned: (id: string) => `#${id} is yours. It is done when it is answered.`,
  alreadyYours: (id: string) => `#${id} is yours already.`,
  has: (id: string, who: string) => `#${id}: ${who} has it.`,
  late: (id: string, how: string) => `#${id}: ${how}.`,
  noted: (id: string) => `#${id}: noted.`,
  passed: (id: string, to: string | null) => `#${id} is off your hands${to === null ? '' : `; ${to} is asked now`}.`,
  passedBefore: (id: string, how: string) => `#${id} is not with you; it is ${how}.`,
  notOffered: (id: string, how: string) => `#${id} is not with you (it is ${how}); I shall not offer it to you.`,
  notWithYou: (id: string, how: string) => `#${id} is not with you; it is ${how}.`,
  released: (id: string) => `#${id} is open again for whoever claims it.`,
  openAgain: (id: string, by: string) => `#${id} is open again: ${by} has released it. Whoever takes it: claim ${id}.`,
  promised: (id: string, lasting: Duration, until: string) =>
    `#${id} is yours; I shall not ask before ${until} (${formatDuration(lasting)}).`,
  snoozed: (id: string, until: string) => `#${id} is quiet until ${until}; it stays yours.`,
  movedTo: (id: string, to: string) => `#${id} goes to ${to} now.`,
  hasAlready: (id: string, who: string) => `#${id} is with ${who} already.`,
  keepsMoving: (id: string) => `#${id} keeps moving; please try again.`,
  movedOn: (id: string, how: string, verb: string) =>
    `#${id} has moved on since: it is ${how}. Say ${verb} ${id} if you still mean it.`,
  waiting: (id: string) => `#${id} is not forwarded yet: nobody is eligible. It comes to whoever is there first.`,
  picked: (id: string, person: string) => `#${id} goes to ${person}.`,
  pickedBy: (id: string, person: string, by: string) => `#${id} goes to ${person}; ${by} has picked.`,
  nobodyPicked: (id: string, person: string) => `#${id} goes to ${person}; nobody has picked in time.`,
  toBePicked: (id: string) => `#${id} is not forwarded yet: an operator is asked who gets it.`,
  nothingToPick: 'Nothing waits for you to pick.',
  whichPick: (ids: string) => `Which one? Say pick ID NUMBER. There are: ${ids}.`,
  notYours: (id: string, group: string) => `#${id} is not yours: it is for the members of ${group}.`,
  operatorsOnly: (verb: string) => `Only an operator may ${verb}.`,
  unknownId: (id: string) => `I know of no mail #${id}. Answer list to see what is with you.`,
  unknownPerson: (name: string, names: string) => `I know of no “${name}” here. I know: ${names}.`,
  notMember: (name: string, names: string) => `${name} is not one of those it may go to: ${names}.`,
  unknownGroup: (name: string, names: string) => `You are in no group “${name}”. Yours: ${names}.`,
  nothingWaiting: 'Nothing is waiting with you.',
  nothingOpen: 'Nothing is open.',
  which: 'Which one? Answer with its number, or say the id.',
  noList: 'I have not asked you to choose. Answer list to see what is open.',
  noNumber: (count: number) => `Please answer with a number from 1 to ${count}.`,
  needsTime: (verb: string) => `How long? For instance: ${verb} 30m. At most 24h.`,
  needsName: (verb: string) => `To whom? For instance: ${verb} ID NAME.`,
  needsGroup: (names: string) => `Which group? Yours: ${names}.`,
  unclear: (said: string) => `I do not understand “${said}”.`,
  unclearAfter: (said: string, verb: string) => `I do not understand “${said}” after ${verb}. Nothing was done.`,
  didYouMean: (verb: string) => `Did you mean ${verb}?`,
  seeHelp: 'Answer help to see what I do.',
  delayed: (said: string, id: string, how: string) =>
    `Your “${said}” reached me late, so I did not act on it. #${id} is ${how}. Say it again if you still mean it.`,
  delayedOther: (said: string) =>
    `Your “${said}” reached me late, so I did not act on it. Say it again if you mean it.`,
  corrected: 'I had acted on your first wording already; say what you want now.',
  stranger: 'I do not know you, so I cannot do anything for you. Please ask whoever runs the mail here.',
  hiddenRoom: 'This room hides who you are, so I cannot take commands here. Answer me directly, please.',
  with: (who: string) => `with ${who}`,
  held: 'held: nobody is eligible',
  notForwarded: 'not forwarded yet',
  already: (state: string, by: string, ago: string | null) =>
    `already ${state}${by === '' ? '' : ` by ${by}`}${ago === null ? '' : ` ${ago} ago`}`,
  states: { acknowledged: 'acknowledged', answered: 'answered', expired: 'expired', withdrawn: 'withdrawn' },
  mineHead: 'With you:',
  othersHead: 'Open in your groups:',
  faultsHead: 'Faults:',
  more: (count: number) => `… and ${count} more.`,
  old: (age: string) => `${age} old`,
  away: (until: string | null, open: number) =>
    `You get no new mail ${until === null ? 'until you say back' : `until ${until}`}.${open === 0 ? '' : ` ${open} of yours stay with you; pass what cannot wait.`}`,
  back: 'Welcome back: you get mail again when it is your turn.',
  notAway: 'You were not away; you get mail when it is your turn.',
  muted: (group: string, until: string | null) =>
    `I tell you nothing about ${group} ${until === null ? 'any more' : `until ${until}`}; its mail still comes. Undo: unmute ${group}.`,
  unmuted: (group: string) => `I tell you about ${group} again.`,
  awayUntil: (until: string | null) => (until === null ? 'has said away' : `has said away until ${until}`),
  openCount: (count: number) => `${count} open`,
  why: 'Why',
  steps: (next: string | null) => (next === null ? 'no further step' : `next step ${next}`),
  faultOwned: (id: string, who: string) => `Fault ${id} is with ${who}.`,
  faultFree: (id: string) => `Fault ${id} is with nobody.`,
  faultGone: (id: string) => `Fault ${id} is over.`,
  severities: { critical: 'critical', fatal: 'fatal', error: 'error', warning: 'warning' },
  faultOpened: (id: string, severity: string, title: string) => `${id} ${severity}: ${title}.`,
  faultDo: (action: string) => `Do: ${action}`,
  faultTake: (id: string) => `Take it: claim ${id}.`,
  faultWith: (id: string, owner: string, title: string) => `${id} is with ${owner}: ${title}.`,
  faultAgain: (id: string, title: string) => `${id} is free again: ${title}.`,
  faultOver: (id: string, lasted: string, title: string) => `${id} is over after ${lasted}: ${title}.`,
  faultWas: (id: string, from: string, lasted: string, title: string) =>
    `${id} is over, it was open from ${from} for ${lasted}: ${title}.`,
  faultSaid: (by: string) => `So says ${by}.`,
  faultGoesOn: (id: string, count: number, lasted: string, title: string) =>
    `${id} goes on, ${count} times in ${lasted}: ${title}.`,
  quietSummary: (dropped: number) =>
    `${dropped === 1 ? 'One note' : `${dropped} notes`} went out of date in your quiet hours. Answer list for what is open.`,
  summary: (from: string, to: string, dropped: number) =>
    `I was cut off from you from ${from} to ${to}. What I had to say on ${dropped === 1 ? 'one mail' : `${dropped} mails`} is out of date and not sent. Answer list for what is open.`,
  roomSummary: (from: string, to: string, dropped: number) =>
    `I could not write here from ${from} to ${to}. What I had to say on ${dropped === 1 ? 'one mail' : `${dropped} mails`} is out of date and not sent. For what is open: !list.`,
} as const;

type Phrase<P> = P extends (...args: infer A) => string
  ? (...args: A) => string
  : P extends string
    ? string
    : { readonly [K in keyof P]: Phrase<P[K]> };
export type Phrases = { readonly [K in keyof typeof en]: Phrase<(typeof en)[K]> };

const de: Phrases = {
  locale: 'de-DE',
  nobody: 'niemandem',
  you: 'dir',
  quote: (text) => `„${text}“`,
  tooMany: 'Zu viele Befehle auf einmal; bitte eine Minute warten.',
  nothingOpenNow: 'Nichts offen',
  howItGoes: (count, minutes) => `${count} offen${minutes === null ? '' : `, älteste ${minutes} min`}`,
  free: 'frei',
  askMail: 'Mail',
  askLasting: 'Wie lange (30m, 2h)',
  askName: 'An wen',
  askPick: 'Die Nummer oder der Name',
  askUntil: 'Bis wann (14:00, 2h oder leer)',
  askGroup: 'Welche Gruppe',
  yours: (id, what) => `Danke. #${id} gehört dir, ${what}; sonst wird niemand gefragt.`,
  takenBy: (id, by) => `#${id} hat ${by} übernommen.`,
  owned: (id) => `#${id} gehört dir. Erledigt ist es, wenn geantwortet wurde.`,
  alreadyYours: (id) => `#${id} gehört dir schon.`,
  has: (id, who) => `#${id}: das hat ${who}.`,
  late: (id, how) => `#${id}: ${how}.`,
  noted: (id) => `#${id}: notiert.`,
  passed: (id, to) => `#${id} bist du los${to === null ? '' : `; jetzt wird ${to} gefragt`}.`,
  passedBefore: (id, how) => `#${id} ist nicht bei dir; es ist ${how}.`,
  notOffered: (id, how) => `#${id} ist nicht bei dir (es ist ${how}); ich biete es dir nicht an.`,
  notWithYou: (id, how) => `#${id} ist nicht bei dir; es ist ${how}.`,
  released: (id) => `#${id} ist wieder frei.`,
  openAgain: (id, by) => `#${id} ist wieder frei: ${by} gibt es ab. Wer es nimmt: claim ${id}.`,
  promised: (id, lasting, until) => `#${id} gehört dir; vor ${until} frage ich nicht (${formatDuration(lasting)}).`,
  snoozed: (id, until) => `#${id} ruht bis ${until}; es bleibt bei dir.`,
  movedTo: (id, to) => `#${id} geht jetzt an ${to}.`,
  hasAlready: (id, who) => `#${id} ist schon bei ${who}.`,
  keepsMoving: (id) => `#${id} ist gerade in Bewegung; bitte noch einmal.`,
  movedOn: (id, how, verb) => `#${id} ist inzwischen weiter: es ist ${how}. Sag ${verb} ${id}, wenn du es noch willst.`,
  waiting: (id) => `#${id} ist noch bei niemandem: keiner ist da. Es geht an den, der zuerst da ist.`,
  picked: (id, person) => `#${id} geht an ${person}.`,
  pickedBy: (id, person, by) => `#${id} geht an ${person}; ${by} hat gewählt.`,
  nobodyPicked: (id, person) => `#${id} geht an ${person}; niemand hat rechtzeitig gewählt.`,
  toBePicked: (id) => `#${id} ist noch bei niemandem: die Aufsicht wird gefragt, wer es bekommt.`,
  nothingToPick: 'Es gibt nichts, wozu du jemanden wählen könntest.',
  whichPick: (ids) => `Welche? Sag wähle KENNUNG NUMMER. Es gibt: ${ids}.`,
  notYours: (id, group) => `#${id} ist nicht für dich, sondern für die Mitglieder von ${group}.`,
  operatorsOnly: (verb) => `${verb} darf nur die Aufsicht.`,
  unknownId: (id) => `Ich kenne keine Mail #${id}. Mit liste siehst du, was bei dir ist.`,
  unknownPerson: (name, names) => `„${name}“ kenne ich nicht. Ich kenne: ${names}.`,
  notMember: (name, names) => `An ${name} darf es nicht gehen, nur an: ${names}.`,
  unknownGroup: (name, names) => `Du bist in keiner Gruppe „${name}“. Deine: ${names}.`,
  nothingWaiting: 'Bei dir wartet nichts.',
  nothingOpen: 'Nichts ist offen.',
  which: 'Welche? Antworte mit der Nummer oder sag die Kennung.',
  noList: 'Ich habe dir keine Liste gezeigt. Mit liste siehst du, was offen ist.',
  noNumber: (count) => `Bitte eine Nummer von 1 bis ${count}.`,
  needsTime: (verb) => `Wie lange? Zum Beispiel: ${verb} 30m. Höchstens 24h.`,
  needsName: (verb) => `An wen? Zum Beispiel: ${verb} KENNUNG NAME.`,
  needsGroup: (names) => `Welche Gruppe? Deine: ${names}.`,
  unclear: (said) => `Ich verstehe „${said}“ nicht.`,
  unclearAfter: (said, verb) => `Ich verstehe „${said}“ nach ${verb} nicht. Nichts ist geschehen.`,
  didYouMean: (verb) => `Meinst du ${verb}?`,
  seeHelp: 'Mit hilfe siehst du, was ich kann.',
  delayed: (said, id, how) =>
    `Dein „${said}“ kam verspätet an, darum habe ich nichts getan. #${id} ist ${how}. Sag es noch einmal, wenn du es noch willst.`,
  delayedOther: (said) =>
    `Dein „${said}“ kam verspätet an, darum habe ich nichts getan. Sag es noch einmal, wenn du es noch willst.`,
  corrected: 'Nach deinem ersten Wortlaut habe ich schon gehandelt; sag, was jetzt gelten soll.',
  stranger: 'Ich kenne dich nicht und kann nichts für dich tun. Bitte frag, wer hier die Mail betreut.',
  hiddenRoom: 'Dieser Raum verbirgt, wer du bist; hier nehme ich keine Befehle an. Antworte mir bitte direkt.',
  with: (who) => `bei ${who}`,
  held: 'zurückgehalten: niemand ist da',
  notForwarded: 'noch nicht weitergeleitet',
  already: (state, by, ago) => `schon ${state}${by === '' ? '' : `, von ${by}`}${ago === null ? '' : `, vor ${ago}`}`,
  states: { acknowledged: 'bestätigt', answered: 'beantwortet', expired: 'abgelaufen', withdrawn: 'zurückgezogen' },
  mineHead: 'Bei dir:',
  othersHead: 'Offen in deinen Gruppen:',
  faultsHead: 'Störungen:',
  more: (count) => `… und ${count} weitere.`,
  old: (age) => `${age} alt`,
  away: (until, open) =>
    `Du bekommst keine neue Mail, ${until === null ? 'bis du zurück sagst' : `bis ${until}`}.${open === 0 ? '' : ` ${open} bleiben bei dir; gib weiter, was eilt.`}`,
  back: 'Willkommen zurück: du bekommst wieder Mail, wenn du dran bist.',
  notAway: 'Du warst nicht abwesend; du bekommst Mail, wenn du dran bist.',
  muted: (group, until) =>
    `Zu ${group} sage ich dir ${until === null ? 'nichts mehr' : `bis ${until} nichts`}; die Mail kommt weiter. Zurück: laut ${group}.`,
  unmuted: (group) => `Zu ${group} sage ich dir wieder Bescheid.`,
  awayUntil: (until) => (until === null ? 'hat sich abgemeldet' : `hat sich bis ${until} abgemeldet`),
  openCount: (count) => `${count} offen`,
  why: 'Warum',
  steps: (next) => (next === null ? 'kein weiterer Schritt' : `nächster Schritt ${next}`),
  faultOwned: (id, who) => `Störung ${id} ist bei ${who}.`,
  faultFree: (id) => `Störung ${id} ist bei niemandem.`,
  faultGone: (id) => `Störung ${id} ist vorbei.`,
  severities: { critical: 'kritisch', fatal: 'schwer', error: 'Fehler', warning: 'Warnung' },
  faultOpened: (id, severity, title) => `${id} ${severity}: ${title}.`,
  faultDo: (action) => `Zu tun: ${action}`,
  faultTake: (id) => `Wer nimmt sie? claim ${id}.`,
  faultWith: (id, owner, title) => `${id} ist bei ${owner}: ${title}.`,
  faultAgain: (id, title) => `${id} ist wieder frei: ${title}.`,
  faultOver: (id, lasted, title) => `${id} ist nach ${lasted} vorbei: ${title}.`,
  faultWas: (id, from, lasted, title) => `${id} ist vorbei, war offen ab ${from} für ${lasted}: ${title}.`,
  faultSaid: (by) => `Das sagt ${by}.`,
  faultGoesOn: (id, count, lasted, title) => `${id} dauert an, ${count}-mal in ${lasted}: ${title}.`,
  quietSummary: (dropped) =>
    `${dropped === 1 ? 'Eine Nachricht ist' : `${dropped} Nachrichten sind`} in deinen Ruhezeiten überholt worden. Mit liste siehst du, was offen ist.`,
  summary: (from, to, dropped) =>
    `Von ${from} bis ${to} konnte ich dich nicht erreichen. Was ich zu ${dropped === 1 ? 'einer Mail' : `${dropped} Mails`} zu sagen hatte, ist überholt und entfällt. Mit liste siehst du, was offen ist.`,
  roomSummary: (from, to, dropped) =>
    `Von ${from} bis ${to} konnte ich hier nichts schreiben. Was ich zu ${dropped === 1 ? 'einer Mail' : `${dropped} Mails`} zu sagen hatte, ist überholt und entfällt. Was offen ist: !liste.`,
};

const all: Readonly<Record<Language, Phrases>> = { en, de };
export const phrasesIn = (language: Language): Phrases => all[language];

/** `10:42`, on another day `Tue 10:42`. */
export function clockTime(at: number, now: number, language: Language, zone?: string): string {
  const format = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(all[language].locale, { ...options, ...(zone === undefined ? {} : { timeZone: zone }) });
  const day = format({ dateStyle: 'short' });
  const time = format({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at);
  return day.format(at) === day.format(now) ? time : `${format({ weekday: 'short' }).format(at)} ${time}`;
}
