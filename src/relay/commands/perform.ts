// One command is performed: what it is about is found, and what it says is done. Questions that need a choice come back
// as such; the channel asks them in its own way (a numbered list, a form).
import type { Verb } from '../../notify/command.ts';
import { helpText } from '../../notify/nudge.ts';
import { oneLine } from '../../notify/text.ts';
import type { Tracked } from '../../tracking/tracked.ts';
import { find } from './finding.ts';
import { list, show, whoHas, whoIsThere, why } from './looking.ts';
import { handTo, pass } from './moving.ts';
import { away, back, mute } from './oneself.ts';
import { pick } from './picking.ts';
import { type Answer, type Request, standingOf } from './request.ts';
import { promise, release, snooze, take } from './taking.ts';

export type Performed =
  | { readonly kind: 'said'; readonly text: Answer }
  /** A list was shown: a number that follows means that one. */
  | { readonly kind: 'listed'; readonly text: string; readonly listed: readonly Tracked[] }
  | { readonly kind: 'which'; readonly list: readonly Tracked[] };

/** What changes nothing is also done when it comes late. */
const harmless: ReadonlySet<Verb | 'promise'> = new Set(['help', 'list', 'who', 'show', 'why']);

const said = (text: Answer): Performed => ({ kind: 'said', text });

export async function perform(request: Request, delayed: boolean): Promise<Performed> {
  const { command, p } = request;
  const { verb } = command;
  const late = delayed && !harmless.has(verb);
  switch (verb) {
    case 'help':
      return said(helpText(request.language));
    case 'list': {
      const { text, listed } = await list(request);
      return { kind: 'listed', text, listed };
    }
    case 'away':
    case 'back':
    case 'mute':
    case 'unmute':
      if (late) return said(p.delayedOther(verb));
      return said(await (verb === 'away' ? away : verb === 'back' ? back : mute)(request));
    case 'who':
      if (command.name !== undefined || (command.id === undefined && request.seen === null))
        return said(whoIsThere(request));
      break;
    case 'snooze':
    case 'promise':
      if (command.lasting === undefined) return said(p.needsTime(verb));
      break;
    case 'redirect':
      if (!request.person.operator) return said(p.operatorsOnly(verb));
      if (command.name === undefined) return said(p.needsName(verb));
      break;
  }
  const found = await find(request);
  if (found.kind === 'none') return said(found.text);
  if (found.kind === 'several') return { kind: 'which', list: found.list };
  const { tracked } = found;
  if (late) {
    const words = oneLine(`${verb} ${tracked.shortId}`, 40);
    return said(p.delayed(words, tracked.shortId, standingOf(tracked, request.stage.clock.now(), p)));
  }
  return said(await act(request, tracked));
}

async function act(request: Request, tracked: Tracked): Promise<Answer> {
  const { command } = request;
  const { lasting = 0, name } = command;
  switch (command.verb) {
    case 'ack':
    case 'claim':
    case 'yes':
      return take(request, tracked);
    case 'promise':
      return promise(request, tracked, lasting);
    case 'snooze':
      return snooze(request, tracked, lasting);
    case 'release':
      return release(request, tracked);
    case 'pass':
    case 'no':
      return name === undefined ? pass(request, tracked) : handTo(request, tracked, name);
    case 'pick':
      return pick(request, tracked);
    case 'redirect':
      return handTo(request, tracked, name ?? '');
    case 'show':
      return show(request, tracked);
    case 'why':
      return why(request, tracked);
    case 'who':
      return whoHas(request, tracked);
    default:
      throw new TypeError(`${command.verb} is about no message`);
  }
}
