// What a campaign comes to, as a page.
import type { Campaign } from './campaign.ts';
import { tellOf } from './plan.ts';

export function page({ seed, rounds, account, unsure, turnedAway, troubles, impossible, seconds }: Campaign): string {
  const kinds = Map.groupBy(rounds, ({ round }) => round.fault.kind);
  const rows = [...kinds]
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([kind, all]) => {
      const details = Map.groupBy(all, ({ round: { fault } }) => detailOf(tellOf(fault)));
      const told = [...details].map(([what, same]) => `${what} (${same.length})`).sort();
      return `| ${kind} | ${all.length} | ${told.join(', ')} |`;
    });
  const times = rounds.map(({ ms }) => ms).sort((a, b) => a - b);
  const did = [...troubles].sort(([one], [other]) => one.localeCompare(other));
  return `# Torture: ${rounds.length} rounds of faults under load

Seed ${seed}; ${new Date().toISOString().slice(0, 10)}, ${seconds.toFixed(0)} s; a round takes ${times[Math.floor(times.length / 2)]} ms (median), ${times.at(-1)} ms at most.
The same again: \`npm run torture -- --seed ${seed} --rounds ${rounds.length}\`.
${impossible.length === 0 ? 'Every kind of fault could be made.' : `Could not be made here: ${impossible.join(', ')}.`}

In each round Pointsman starts on what the round before has left, has mail handed in by four lanes of our own (who write
down what got a 250, and for whom) and by Postfix's smtp-source, meets one fault, and is dead at the end. All the while
more than half of what the next hop does is trouble. After every ten rounds the next hop heals; then nothing may be left
in the queue, and every recipient must have met exactly one end.

| recipients that got a 250 | ${account.recipients} |
|---|---|
| delivered | ${account.delivered} |
| reported to the sender | ${account.reported} |
| dead letters: a report is forbidden | ${account.dead} |
| lost, ended twice, or reported though never refused | ${account.problems.length} |
| smtp-source: 250s it counted; all arrived | ${account.bulk} |
| duplicates; each told before as possible | ${account.duplicates} |
| content sent without hearing a reply | ${unsure} |
| turned away for now (disk full, store locked) | ${turnedAway} |

| fault | rounds | which |
|---|---|---|
${rows.join('\n')}

| what the next hop did | times |
|---|---|
${did.map(([what, count]) => `| ${what} | ${count} |`).join('\n')}
`;
}

const detailOf = (told: string): string => told.replace(/ after \d+ ms| for \d+ ms|, time \d+/g, '');
