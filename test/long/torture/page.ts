// What campaigns come to, as a page.
import { spawnSync } from 'node:child_process';
import type { Campaign } from './campaign.ts';
import { tellOf } from './plan.ts';

/** A campaign as a line of a file. */
export interface Recorded extends Omit<Campaign, 'troubles'> {
  readonly troubles: readonly (readonly [string, number])[];
  readonly day: string;
  readonly commit: string;
}

export function recordOf(campaign: Campaign): Recorded {
  return {
    ...campaign,
    troubles: [...campaign.troubles],
    day: new Date().toISOString().slice(0, 10),
    commit: spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout.trim(),
  };
}

export function page(campaigns: readonly Recorded[]): string {
  const rounds = campaigns.flatMap((campaign) => campaign.rounds);
  const sum = (of: (campaign: Recorded) => number) => campaigns.reduce((all, one) => all + of(one), 0);
  const impossible = [...new Set(campaigns.flatMap((each) => each.impossible))];
  const times = rounds.map(({ ms }) => ms).sort((a, b) => a - b);
  const did = new Map<string, number>();
  for (const [what, count] of campaigns.flatMap(({ troubles }) => troubles))
    did.set(what, (did.get(what) ?? 0) + count);
  return `# Torture: ${rounds.length} rounds of faults under load

${[...new Set(campaigns.map(({ day }) => day))].join(', ')}, commit ${[...new Set(campaigns.map(({ commit }) => commit))].join(', ')};
${sum(({ seconds }) => seconds).toFixed(0)} s in all, a round ${times[Math.floor(times.length / 2)]} ms (median), ${times.at(-1)} ms at most.
The same again:
${campaigns.map((each) => `\`npm run torture -- --seed ${each.seed} --rounds ${each.rounds.length}\``).join(', ')}.
${impossible.length === 0 ? 'Every kind of fault could be made.' : `Could not be made here: ${impossible.join(', ')}.`}

In each round Pointsman starts on what the round before has left, has mail handed in by four lanes of our own (who write
down what got a 250, and for whom) and by Postfix's smtp-source, meets one fault, and is dead at the end. All the while
more than half of what the next hop does is trouble. After every ten rounds the next hop heals; then nothing may be left
in the queue, and every recipient must have met exactly one of the four ends: delivered, reported, a dead letter (with a
fault) where a report is forbidden; nobody removes anything here. A delivery belongs to a message by queue id, Message-ID
and a digest of its octets, a report by ENVID, Message-ID and original recipient. One in eight mails is for a group, whose
mail goes on to a chief after two seconds if nobody takes it.

| recipients that got a 250 from our lanes | ${sum(({ account }) => account.recipients)} |
|---|---|
| delivered | ${sum(({ account }) => account.delivered)} |
| reported to the sender | ${sum(({ account }) => account.reported)} |
| dead letters | ${sum(({ account }) => account.dead)} |
| lost, ended twice, changed, or reported though never refused | ${sum(({ account }) => account.problems.length)} |
| smtp-source: 250s, each of which met its end | ${sum(({ account }) => account.bulk)} |
| messages that came to the next hop, reports among them | ${sum(({ account }) => account.arrivals)}, ${sum(({ account }) => account.reports)} |
| duplicates, each announced before as possible | ${sum(({ account }) => account.duplicates)} |
| announced as possible, whether or not they came | ${sum(({ account }) => account.announced)} |
| content sent without hearing a reply | ${sum(({ unsure }) => unsure)} |
| turned away for now (disk full, store locked) | ${sum(({ turnedAway }) => turnedAway)} |

| fault | rounds | 250s | came to the next hop | of them reports | turned away | ms (median) |
|---|---|---|---|---|---|---|
${kindsOf(rounds).join('\n')}

What the next hop did, besides what it should: ${[...did]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([what, count]) => `${what} (${count})`)
    .join(', ')}.
`;
}

function kindsOf(rounds: Recorded['rounds']): string[] {
  const kinds = Map.groupBy(rounds, ({ round }) => detailOf(tellOf(round.fault)));
  return [...kinds]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([kind, all]) => {
      const sum = (of: (result: (typeof all)[number]) => number) => all.reduce((total, one) => total + of(one), 0);
      const times = all.map(({ ms }) => ms).sort((a, b) => a - b);
      const figures = [sum((each) => each.accepted), sum((each) => each.arrived), sum((each) => each.reports)];
      return `| ${kind} | ${[all.length, ...figures, sum((each) => each.turnedAway), times[Math.floor(times.length / 2)]].join(' | ')} |`;
    });
}

const detailOf = (told: string): string => told.replace(/ after \d+ ms| for \d+ ms|, time \d+/g, '');
