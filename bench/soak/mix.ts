// What the mail of the soak is like. Everything follows from the number of a message, so that the generator, the next
// hop and the people agree on what is to become of it without talking to each other.

export interface Mix {
  /** Every so many messages one is for the group. */
  readonly groupEvery: number;
}

export type Kind = 'plain' | 'two' | 'large' | 'later' | 'refused' | 'acked' | 'escalated';

export const sender = 'a@source.test';
export const group = 'desk@soak.test';
export const members = ['anna', 'bert'] as const;
export const chief = 'chief@soak.test';
/** Of a usual message, and of one that is too large to be kept in memory. */
export const usualSize = 10_240;
export const largeSize = 400_000;

const standing: readonly (readonly [every: number, from: number, kind: Kind])[] = [
  [1_000, 500, 'large'],
  [500, 250, 'refused'],
  [500, 125, 'later'],
  [50, 25, 'two'],
];

export function kindOf(number: number, { groupEvery }: Mix): Kind {
  const found = standing.find(([every, from]) => number % every === from);
  if (found) return found[2];
  if (number % groupEvery !== 7) return 'plain';
  // Two of three are taken by whoever was told.
  return Math.floor(number / groupEvery) % 3 === 0 ? 'escalated' : 'acked';
}

export function recipientsOf(number: number, mix: Mix): readonly string[] {
  switch (kindOf(number, mix)) {
    case 'two':
      return [`b-${number}@sink.test`, `c-${number}@sink.test`];
    case 'later':
      return [`later-${number}@sink.test`];
    case 'refused':
      return [`refused-${number}@sink.test`];
    case 'acked':
    case 'escalated':
      return [group];
    default:
      return [`b-${number}@sink.test`];
  }
}

/** What the next hop has had of each message. */
export const roles = ['recipient', 'report', 'member', 'chief'] as const;
export type Role = (typeof roles)[number];
export type Arrivals = Readonly<Record<Role, number>>;

export function roleOf(recipient: string): Role {
  if (recipient === sender) return 'report';
  if (recipient === chief) return 'chief';
  return recipient.endsWith('@soak.test') ? 'member' : 'recipient';
}

/** What is wrong with what became of a message; undefined when nothing is. Nothing crashes here, so nothing comes twice. */
export function complaintAbout(number: number, arrivals: Arrivals, mix: Mix): string | undefined {
  const kind = kindOf(number, mix);
  const right = fits[kind](arrivals);
  return right ? undefined : `${number} (${kind}): ${roles.map((role) => `${role} ${arrivals[role]}`).join(', ')}`;
}

const exactly =
  (wanted: Partial<Arrivals>) =>
  (arrivals: Arrivals): boolean =>
    roles.every((role) => arrivals[role] === (wanted[role] ?? 0));

const fits: Readonly<Record<Kind, (arrivals: Arrivals) => boolean>> = {
  plain: exactly({ recipient: 1 }),
  two: exactly({ recipient: 2 }),
  large: exactly({ recipient: 1 }),
  later: exactly({ recipient: 1 }),
  refused: exactly({ report: 1 }),
  escalated: exactly({ member: 1, chief: 1 }),
  // An answer that comes late has not stopped the clock.
  acked: (arrivals) => arrivals.member === 1 && arrivals.chief <= 1 && arrivals.recipient + arrivals.report === 0,
};

export const subjectOf = (number: number): string => `soak ${number}`;

const filler = `${'The quick brown fox jumps over the lazy dog, and nobody minds. 0123456'.padEnd(76, '.')}\r\n`;

/** With the final dot. */
export function contentOf(number: number, mix: Mix): string {
  const head = [
    `From: <${sender}>`,
    `To: <${recipientsOf(number, mix).join('>, <')}>`,
    `Subject: ${subjectOf(number)}`,
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${number}.soak@source.test>`,
    '',
    '',
  ].join('\r\n');
  const size = kindOf(number, mix) === 'large' ? largeSize : usualSize;
  return `${head}${filler.repeat(Math.ceil((size - head.length) / filler.length))}.\r\n`;
}
