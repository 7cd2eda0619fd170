// The little plays of the sandbox, made from whatever rules are loaded. Pure. Each says how everybody is, which mail
// comes, and what those do who are asked about it. The first two show the heart of the matter within a minute: mail
// goes to the one who is there and is acknowledged; mail that nobody reads moves on, at last to a room.
import { type Duration, minute, second } from '../clock.ts';
import type { Mailbox } from '../mail/path.ts';
import type { Group, Rules } from '../routing/rules.ts';
import type { Cast, Player } from './cast.ts';
import type { Reaction } from './reaction.ts';
import type { Mood } from './simulated-person.ts';

export interface Episode {
  /** For the story: what is going to be seen. */
  readonly title: string;
  /** Who is not named is available. */
  readonly moods: Readonly<Record<string, Mood>>;
  readonly mail: { readonly from: string; readonly to: Mailbox; readonly subject: string; readonly text: string };
  /** What each one who is asked does, the last word staying. */
  readonly script: readonly Reaction[];
  /** So long after the mail this changes. */
  readonly later?: { readonly after: Duration; readonly moods: Readonly<Record<string, Mood>> };
  /** The next episode begins when the mail is closed, at the latest after this. */
  readonly atMost: Duration;
}

/** The domain of everybody who writes to the groups. */
export const strangersDomain = 'example.net';

const writers = {
  ann: `Ann Archer <ann@${strangersDomain}>`,
  ben: `Ben Baker <ben@${strangersDomain}>`,
  cleo: `Cleo Clark <cleo@${strangersDomain}>`,
} as const;

export interface Programme {
  readonly opening: readonly Episode[];
  /** Again and again, in this order. Empty when nobody can play. */
  readonly afterwards: readonly Episode[];
}

export function programmeOf(rules: Rules, cast: Cast): Programme {
  const stages = [...rules.groups.values()].flatMap((group) => {
    const members = group.members.flatMap((name) => cast.players.find((player) => player.name === name) ?? []);
    return group.addresses[0] && members.length > 0 ? [{ group, to: group.addresses[0], members }] : [];
  });
  // The best stage has a policy, two people to move between, and an order that presence alone decides.
  const worth = ({ group, members }: Stage) =>
    (group.policy ? 4 : 0) + (members.length > 1 ? 2 : 0) + (group.strategy === 'in-order' ? 1 : 0);
  const main = stages.reduce<Stage | undefined>((a, b) => (a && worth(a) >= worth(b) ? a : b), undefined);
  if (!main) return { opening: [], afterwards: [] };
  return {
    opening: [presentOne(main), unread(main)],
    afterwards: [
      answeredByMail(main),
      ownerLeaves(main),
      ...stages
        .filter((stage) => stage !== main)
        .slice(0, 3)
        .map(other),
      passed(main),
      nobodyThere(main),
      unread(main),
    ],
  };
}

interface Stage {
  readonly group: Group;
  readonly to: Mailbox;
  readonly members: readonly Player[];
}

const out = (group: Group): Mood => (group.eligible.includes('dnd') ? 'offline' : 'dnd');
const firstOf = ({ members }: Stage): string => members[0]?.name ?? '';
const first = (stage: Stage, mood: Mood): Record<string, Mood> =>
  stage.members.length > 1 ? { [firstOf(stage)]: mood } : {};

function presentOne(stage: Stage): Episode {
  return {
    title: 'Mail for a group goes to the one member who is there.',
    moods: first(stage, out(stage.group)),
    mail: {
      from: writers.ann,
      to: stage.to,
      subject: 'The printer on floor 2 is on fire',
      text: 'Smoke comes out of the paper tray. Can somebody come?',
    },
    script: ['ack'],
    atMost: minute,
  };
}

function unread(stage: Stage): Episode {
  return {
    title: 'Mail that nobody reads moves on: to the next member, then to the room.',
    moods: {},
    mail: {
      from: writers.ben,
      to: stage.to,
      subject: 'Invoice 4711 is wrong',
      text: 'You charge us for eleven trains. We have had ten.',
    },
    // Two who are asked by name do not look; whoever sees it next does.
    script: ['ignore', 'ignore', 'ack'],
    atMost: patience(stage.group),
  };
}

function answeredByMail(stage: Stage): Episode {
  return {
    title: 'An answer by mail closes it, too.',
    moods: first(stage, 'offline'),
    mail: {
      from: writers.cleo,
      to: stage.to,
      subject: 'Which platform does the 9:40 leave from?',
      text: 'The board at the entrance is dark.',
    },
    script: ['reply'],
    atMost: minute,
  };
}

function ownerLeaves(stage: Stage): Episode {
  return {
    title: 'Whoever has the mail goes offline: the next one gets it at once.',
    moods: {},
    mail: { from: writers.ann, to: stage.to, subject: 'No heating in room 12', text: 'It is 11 degrees in here.' },
    script: ['leave', 'ack'],
    atMost: minute,
  };
}

function passed(stage: Stage): Episode {
  return {
    title: '“pass” hands it to somebody else.',
    moods: {},
    mail: { from: writers.ben, to: stage.to, subject: 'Contract, page 3', text: 'What does paragraph 9 mean?' },
    script: ['pass', 'ack'],
    atMost: minute,
  };
}

function nobodyThere(stage: Stage): Episode {
  const { group, members } = stage;
  const back = members[1] ?? members[0];
  const base: Episode = {
    title: 'Nobody is there: the mail goes to the fallback.',
    moods: Object.fromEntries(members.map(({ name }) => [name, out(group)])),
    mail: { from: writers.cleo, to: stage.to, subject: 'Lost umbrella', text: 'Black, with a wooden handle.' },
    script: ['ack'],
    atMost: minute,
  };
  // Somebody comes back before the hold runs out.
  return group.hold === null || back === undefined
    ? base
    : {
        ...base,
        title: 'Nobody is there: the mail waits until somebody comes back.',
        later: { after: Math.min(6 * second, group.hold / 2), moods: { [back.name]: 'available' } },
      };
}

function other(stage: Stage): Episode {
  return {
    title: `Another group, another order: ${stage.group.name} chooses ${stage.group.strategy}.`,
    moods: {},
    mail: { from: writers.ann, to: stage.to, subject: `A question for ${stage.group.name}`, text: 'Who can help me?' },
    script: ['ack'],
    atMost: minute,
  };
}

/** Until the third one has been asked, and a little; with the hours of an office nobody waits for it here. */
function patience(group: Group): Duration {
  const steps = (group.policy?.steps ?? []).flatMap((step) => Array.from({ length: step.times }, () => step.after));
  return Math.min(
    2 * minute,
    steps.slice(0, 3).reduce((sum, each) => sum + each, 20 * second),
  );
}
