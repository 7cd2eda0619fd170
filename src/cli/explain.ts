// `pointsman explain ID`: why each recipient of a message went where it went, from the stored decision and snapshot.
import type { Story } from '../operations.ts';
import { printable } from '../printable.ts';
import { explain as explainDecision } from '../routing/explain.ts';
import type { Explained } from './client.ts';
import { type Context, clientFor, type Target, writeJson } from './context.ts';
import { exitCodes } from './exit.ts';

export async function explain(
  context: Context,
  id: string,
  options: Target & { readonly json?: boolean },
): Promise<number> {
  const client = await clientFor(context, options);
  const explained = await client.explain(id);
  if (options.json) {
    writeJson(context, explained);
    return explained.every((one) => one.replayed) ? exitCodes.fine : exitCodes.problem;
  }
  return explained.length > 0 ? show(context, explained) : showUndecided(context, await client.queued(id));
}

function show({ terminal }: Context, explained: Explained): number {
  for (const [index, { decision, replayed }] of explained.entries()) {
    if (index > 0) terminal.write('\n');
    terminal.write(`${explainDecision(decision).map(printable).join('\n')}\n`);
    terminal.write(
      replayed
        ? '  replayed: the stored snapshot gives the same choice\n'
        : '  REPLAY DIFFERS: this version of Pointsman chooses otherwise from the stored snapshot\n',
    );
  }
  return explained.every((one) => one.replayed) ? exitCodes.fine : exitCodes.problem;
}

/** Nothing was chosen: mail for no group, or nothing tried yet. The plan of each delivery says so. */
function showUndecided({ terminal }: Context, story: Story): number {
  for (const { path, plan, state } of story.deliveries) {
    const because = plan.because.length > 0 ? `: ${plan.because.join('; ')}` : '';
    terminal.write(`${printable(`${path.mailbox} (${state}): ${plan.kind}${because}; rules ${plan.rulesVersion}`)}\n`);
  }
  return exitCodes.fine;
}
