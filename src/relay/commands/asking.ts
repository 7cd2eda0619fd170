// Ad-hoc commands (XEP-0050): the same commands by form. Where nothing is left to choose the first step is the only one.
import type { Command, Verb } from '../../notify/command.ts';
import { parseCommand } from '../../notify/command.ts';
import type { Asked, AskedAnswer, AskedField } from '../../notify/notifier.ts';
import { headlineShort } from '../../notify/nudge.ts';
import type { Phrases } from '../../notify/phrases.ts';
import type { Language, Person } from '../../routing/rules.ts';
import type { Tracked } from '../../tracking/tracked.ts';
import type { Desk } from '../faults/desk.ts';
import { deliveryOfStanza, factsOf } from '../nudging.ts';
import type { Stage } from '../parts.ts';
import { longestList } from './finding.ts';
import { perform } from './perform.ts';
import { proposalsFor } from './picking.ts';
import { type Request, refOf, type Seen } from './request.ts';

export interface FormRequest {
  readonly stage: Stage;
  readonly person: Person;
  readonly language: Language;
  readonly p: Phrases;
  readonly asked: Asked;
}

/** What else has to be said for these. */
function fieldFor(verb: Verb, p: Phrases): AskedField | undefined {
  switch (verb) {
    case 'snooze':
      return { name: 'lasting', label: p.askLasting };
    case 'redirect':
      return { name: 'name', label: p.askName };
    case 'pick':
      return { name: 'name', label: p.askPick };
    case 'away':
      return { name: 'until', label: p.askUntil };
    case 'mute':
    case 'unmute':
      return { name: 'name', label: p.askGroup };
    default:
      return undefined;
  }
}

export async function askByForm(form: FormRequest, desk: Desk | null): Promise<AskedAnswer> {
  const { stage, person, language, p, asked } = form;
  const verb = asked.command as Verb;
  const field = fieldFor(verb, p);
  const { values } = asked;
  if (values === null && field) return formFor(form, verb, await choices(form, verb), field);
  const command = commandFrom(verb, values ?? {});
  if (!command) return { kind: 'done', text: p.unclearAfter(values?.[field?.name ?? ''] ?? '', verb) };
  const seen = seenIn(values?.mail);
  const request: Request = {
    ...{ stage, person, command, language, p },
    ...{ channel: 'ad-hoc', room: null, reference: null, seen },
  };
  const aboutFault = desk && (await desk.answer(request, false));
  if (aboutFault) return { kind: 'done', text: aboutFault.text };
  const performed = await perform(request, false);
  switch (performed.kind) {
    case 'said':
      return { kind: 'done', text: performed.text ?? '' };
    case 'listed':
      return { kind: 'done', text: [performed.text, ...(desk ? await desk.list(request) : [])].join('\n') };
    case 'which':
      return formFor(form, verb, performed.list, field);
    default:
      return performed satisfies never;
  }
}

/** The same grammar as the text's, so that a form can say no more than a line can. */
function commandFrom(
  verb: Verb,
  values: Readonly<Record<string, string>>,
): (Command & { kind: 'command' }) | undefined {
  const { lasting, until, name } = values;
  const rest = [
    lasting,
    until && /^\d{1,2}(?::\d{2})?$/.test(until.trim()) ? `until ${until}` : until,
    name && `to ${name}`,
  ];
  const line = [verb, ...rest.filter((each) => each !== undefined && each.trim() !== '')].join(' ');
  const command = parseCommand(line.split('\n')[0] ?? verb);
  // A word in the place of an id is a value that was not understood.
  return command?.kind === 'command' && command.verb === verb && command.id === undefined ? command : undefined;
}

/** `QUEUEID.SEQ.AT.`: the message, and when the form that named it was made. */
function seenIn(value: string | undefined): Seen | null {
  const ref = value === undefined ? undefined : deliveryOfStanza(value);
  const at = Number(value?.split('.')[2]);
  return ref && Number.isSafeInteger(at) ? { ref, at } : null;
}

async function choices({ stage, person }: FormRequest, verb: Verb): Promise<readonly Tracked[]> {
  if (verb === 'pick') return (await proposalsFor(stage, person)).map(({ tracked }) => tracked);
  if (verb !== 'snooze' && verb !== 'redirect') return [];
  return stage.store.openTracked(verb === 'redirect' && person.operator ? {} : { owner: person.name });
}

function formFor(
  { stage, language, p }: FormRequest,
  verb: Verb,
  list: readonly Tracked[],
  field: AskedField | undefined,
): AskedAnswer {
  const now = stage.clock.now();
  const options = list.slice(0, longestList).map((tracked) => {
    const { queueId, seq } = refOf(tracked);
    return { value: `${queueId}.${seq}.${now}.`, label: headlineShort({ ...factsOf(stage, tracked, now), language }) };
  });
  const mail: AskedField[] = options.length === 0 ? [] : [{ name: 'mail', label: p.askMail, options }];
  return { kind: 'form', title: verb, fields: [...mail, ...(field ? [field] : [])] };
}
