// The sentences of nudges and notices, in the group's language. Plain text that reads well aloud: what a sign would say
// is said in words. Every argument is one line already.
import type { Language } from '../routing/rules.ts';

const en = {
  quote: (text: string) => `“${text}”`,
  noSubject: 'without a subject',
  hiddenSubject: '(its subject is not told here)',
  hiddenSender: '(who is not told here)',
  mail: (address: string, from: string, subject: string) => `Mail for ${address} from ${from}: ${subject}`,
  fromBy: (from: string) => `from ${from}`,
  inMailbox: (age: string) => `It is in your mailbox (${age} old).`,
  why: (why: string) => `Why you: ${why}.`,
  answer: (id: string) => `Answer: ack ${id} (I have it), pass ${id} (somebody else, please) or help.`,
  soon: (id: string) => `Can you handle it soon? yes ${id}, 10m ${id} (in ten minutes), no ${id}.`,
  still: (age: string) => `It is still with you and still unanswered after ${age}.`,
  answerAgain: (id: string) => `Answer: ack ${id} or pass ${id}.`,
  propose: (within: string) => `Who shall have it? Without a word from you it goes to 1 in ${within}.`,
  proposeAnswer: (id: string) => `Answer with a number, or: pick ${id} NUMBER.`,
  roomOpen: (age: string, had: string) => `Nobody has taken it for ${age}.${had === '' ? '' : ` ${had}.`}`,
  roomUnanswered: (age: string, had: string) => `Nobody has answered it for ${age}.${had === '' ? '' : ` ${had}.`}`,
  roomAnswer: (id: string) => `Whoever takes it, answer here or to me: ack ${id}.`,
  movedOn: (id: string, to: string, why: string) => `#${id} has moved on to ${to} (${why}). You need not do anything.`,
  taken: (id: string, by: string) => `#${id} is taken by ${by}. Nothing is left to do for others.`,
  itWas: (subject: string) => `It was: ${subject}`,
  bundle: (count: number) => `${count} mails for you, in your mailbox:`,
  roomBundle: (count: number) => `${count} mails that nobody has taken:`,
  bundleAnswer: 'Answer: ack ID, pass ID, list or help.',
  excerpt: (text: string) => `It begins: ${text}`,
  digest: (count: number) => `${count} mails wait that nobody has taken:`,
  digestOwner: (owner: string) => `${owner} has it and has not answered`,
  digestAge: (age: string, had: string) => `${age} old${had === '' ? '' : `; ${had}`}.`,
  digestLarge: '(Not attached: it is too large, or cannot be sent within another mail.)',
  digestAnswer:
    'By instant message: list, ack ID, redirect ID NAME. Or: pointsman track list, pointsman track give ID NAME.',
  greeting: (hostname: string) => [
    `Hello, this is Pointsman on ${hostname}: I pass mail for a group to the member who is there.`,
    'When I give you one I tell you here. Answer help at any time to see what I understand; set yourself to "do not disturb" to be left out, or answer mute GROUP and I am silent about it.',
  ],
  help: [
    'I give mail for a group to the member who is there, and watch that somebody takes it.',
    'ack ID – I have it; nobody else is asked. (claim, yes)',
    'pass ID – not me; the next one gets it. pass ID to NAME',
    '10m ID – I can in ten minutes. snooze ID 30m – later.',
    'release ID – I give it back.',
    'list, who, show ID, why ID – what is open, who is there.',
    'away until 14:00, back, mute GROUP – about yourself.',
    'redirect ID NAME, pick ID NUMBER – for operators.',
    'help – this text.',
    'Without an ID I take the mail that is with you, if there is only one. A reply or a reaction (👍 ack, 👎 pass, 👀 claim, 💤 snooze) to my message does it, too.',
  ],
} as const;

type Template<P> = P extends (...args: infer A) => infer R
  ? (...args: A) => R extends string ? string : readonly string[]
  : P extends string
    ? string
    : readonly string[];
export type Templates = { readonly [K in keyof typeof en]: Template<(typeof en)[K]> };

const de: Templates = {
  quote: (text) => `„${text}“`,
  noSubject: 'ohne Betreff',
  hiddenSubject: '(der Betreff wird hier nicht genannt)',
  hiddenSender: '(wer, wird hier nicht genannt)',
  mail: (address, from, subject) => `Mail an ${address} von ${from}: ${subject}`,
  fromBy: (from) => `von ${from}`,
  inMailbox: (age) => `Sie liegt in deinem Postfach (${age} alt).`,
  why: (why) => `Warum du: ${why}.`,
  answer: (id) => `Antworte: ack ${id} (ich habe es), pass ${id} (bitte jemand anders) oder hilfe.`,
  soon: (id) => `Schaffst du es bald? ja ${id}, 10m ${id} (in zehn Minuten), nein ${id}.`,
  still: (age) => `Sie ist immer noch bei dir und nach ${age} ohne Antwort.`,
  answerAgain: (id) => `Antworte: ack ${id} oder pass ${id}.`,
  propose: (within) => `Wer soll sie haben? Sagst du nichts, geht sie in ${within} an 1.`,
  proposeAnswer: (id) => `Antworte mit einer Nummer oder: wähle ${id} NUMMER.`,
  roomOpen: (age, had) => `Seit ${age} hat sie niemand übernommen.${had === '' ? '' : ` ${had}.`}`,
  roomUnanswered: (age, had) => `Seit ${age} hat sie niemand beantwortet.${had === '' ? '' : ` ${had}.`}`,
  roomAnswer: (id) => `Wer sie nimmt, antworte hier oder mir: ack ${id}.`,
  movedOn: (id, to, why) => `#${id} ist weiter an ${to} (${why}). Du brauchst nichts zu tun.`,
  taken: (id, by) => `#${id} hat ${by} übernommen. Für andere ist nichts mehr zu tun.`,
  itWas: (subject) => `Es war: ${subject}`,
  bundle: (count) => `${count} Mails für dich, in deinem Postfach:`,
  roomBundle: (count) => `${count} Mails, die niemand übernommen hat:`,
  bundleAnswer: 'Antworte: ack KENNUNG, pass KENNUNG, liste oder hilfe.',
  excerpt: (text) => `Sie beginnt: ${text}`,
  digest: (count) => `${count} Mails warten, die niemand genommen hat:`,
  digestOwner: (owner) => `${owner} hat sie und hat nicht geantwortet`,
  digestAge: (age, had) => `${age} alt${had === '' ? '' : `; ${had}`}.`,
  digestLarge: '(Nicht angehängt: zu groß, oder nicht in einer anderen Mail zu verschicken.)',
  digestAnswer:
    'Per Sofortnachricht: list, ack ID, redirect ID NAME. Oder: pointsman track list, pointsman track give ID NAME.',
  greeting: (hostname) => [
    `Hallo, hier ist Pointsman auf ${hostname}: ich gebe Mail an eine Gruppe dem Mitglied, das da ist.`,
    'Wenn du eine bekommst, sage ich es dir hier. Mit hilfe siehst du jederzeit, was ich verstehe; mit „nicht stören“ bleibst du außen vor, mit stumm GRUPPE bin ich zu ihr still.',
  ],
  help: [
    'Ich gebe Mail an eine Gruppe dem Mitglied, das da ist, und achte darauf, dass jemand sie übernimmt.',
    'ack ID – ich habe es; sonst wird niemand gefragt. (nehme, ja)',
    'pass ID – nicht ich; der nächste bekommt es. weiter ID an NAME',
    '10m ID – ich kann in zehn Minuten. später ID 30m.',
    'freigeben ID – ich gebe es zurück.',
    'liste, wer, zeige ID, warum ID – was offen ist, wer da ist.',
    'weg bis 14:00, zurück, stumm GRUPPE – über dich selbst.',
    'umleiten ID NAME, wähle ID NUMMER – für die Aufsicht.',
    'hilfe – dieser Text.',
    'Ohne ID meine ich die Mail bei dir, wenn es nur eine ist. Auch eine Antwort auf meine Nachricht oder eine Reaktion (👍 ack, 👎 pass, 👀 claim, 💤 später) gilt.',
  ],
};

const all: Readonly<Record<Language, Templates>> = { en, de };
export const templatesIn = (language: Language | undefined): Templates => all[language ?? 'en'];
