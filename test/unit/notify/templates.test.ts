// Everything the bot says, in each language: plain text that reads well at 60 columns and aloud. Each sentence is made
// with the longest things it is likely to get.
import { describe, expect, it } from 'vitest';
import { hour, minute } from '../../../src/clock.ts';
import { catalogue, type FaultId, faultKinds, faultWords } from '../../../src/notify/faults.ts';
import * as nudge from '../../../src/notify/nudge.ts';
import { phrasesIn } from '../../../src/notify/phrases.ts';
import { templatesIn } from '../../../src/notify/templates.ts';
import { changeLines } from '../../../src/relay/faults/announcing.ts';
import { languages } from '../../../src/routing/rules.ts';
import type { Fault } from '../../../src/store/fault.ts';

const samples: readonly unknown[] = ['k7mf', 'wilhelmine.mustermann', 'support-and-maintenance', 'third'];
const counts: readonly unknown[] = [3, 'wilhelmine.mustermann', 'Mon 10:42', 'x'];

/** Each sentence of a table, called with words, and where that is what it wants with numbers. */
function said(table: object): [string, string][] {
  return Object.entries(table).flatMap(([name, value]): [string, string][] => {
    if (typeof value === 'string') return [[name, value]];
    if (Array.isArray(value)) return value.map((line) => [name, String(line)]);
    if (typeof value === 'object') return said(value as object);
    const call = value as (...args: readonly unknown[]) => string | readonly string[];
    const variants = [samples, counts];
    return variants.flatMap((args) =>
      [call(...args.slice(0, call.length))].flat().map((text): [string, string] => [name, text]),
    );
  });
}

/** As a client breaks lines: at blanks. */
function wrapped(text: string, width: number): string[] {
  return text.split('\n').flatMap((line) => {
    const lines: string[] = [''];
    for (const word of line.split(' ')) {
      const last = lines.at(-1) ?? '';
      if (last === '') lines[lines.length - 1] = word;
      else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
      else lines.push(word);
    }
    return lines;
  });
}

/** Boxes, arrows, tabs, a second blank to line things up: what a screen reader stumbles over. */
const forShow = /[\u2500-\u27bf\t]| {2}|^\s|\s$/u;

describe.each(languages)('in %s', (language) => {
  const all = [...said(phrasesIn(language)), ...said(templatesIn(language))];

  it('each sentence breaks at 60 columns, is short, and nothing is for show', () => {
    expect(all.length).toBeGreaterThan(150);
    for (const [name, text] of all) {
      const shown = `${name}: ${text}`;
      expect(text, shown).not.toMatch(/undefined|null|NaN|\[object/);
      expect(text, shown).not.toMatch(forShow);
      expect(text.trim(), shown).not.toBe('');
      const lines = wrapped(text, 60);
      for (const line of lines) expect(line.length, shown).toBeLessThanOrEqual(60);
      // Nobody reads on after five lines of one sentence.
      expect(lines.length, shown).toBeLessThanOrEqual(5);
    }
  });

  it('where there is nothing to name, nothing is named', () => {
    const p = phrasesIn(language);
    const said = [p.passed('k7mf', null), p.away(null, 0), p.muted('support', null), p.awayUntil(null), p.steps(null)];
    said.push(p.already('x', '', null));
    for (const text of said) expect(text).not.toMatch(/null|undefined| {2}/);
  });

  it('whole messages: few lines, the id first, what to answer last', () => {
    const facts = {
      shortId: 'k7mf',
      from: 'Wilhelmine Mustermann <wilhelmine.mustermann@customer.example.net>',
      subject: 'The printer on the third floor is on fire again, please come at once',
      address: 'support-and-maintenance@example.org',
      age: 3 * hour + 20 * minute,
      language,
    };
    const messages = [
      nudge.nudgeText(facts, 'first in order, 2 of 3 members of support eligible'),
      nudge.reminderText(facts),
      nudge.roomText(facts, ['alice had it for 10m without an answer']),
      nudge.roomText(facts, ['alice has it and has not answered'], 'answered'),
      nudge.movedOnText(facts, 'bob', 'you: no answer'),
      nudge.takenText(facts, 'bob'),
      nudge.confirmText(facts),
      nudge.toldText(facts),
      nudge.proposalText(facts, ['alice: is available for 2m; number 1 in order; 0 open', 'bob: is away'], 2 * minute),
      nudge.bundleText(
        Array.from({ length: 7 }, () => nudge.nudgeText(facts, 'x')),
        language,
        'person',
      ),
      nudge.bundleText(
        Array.from({ length: 7 }, () => nudge.roomText(facts, [])),
        language,
        'room',
      ),
      nudge.newsText([nudge.takenText(facts, 'bob'), nudge.movedOnText(facts, 'bob', 'x')], language),
      nudge.greeting('mx.example.org', language),
      nudge.helpText(language),
    ];
    for (const text of messages) {
      expect(Buffer.byteLength(text)).toBeLessThan(1_400);
      for (const line of wrapped(text, 60)) expect(line.length, line).toBeLessThanOrEqual(60);
      expect(text).not.toMatch(/undefined|null|NaN/);
    }
  });
});

describe.each(languages)('faults in %s', (language) => {
  const p = phrasesIn(language);
  const fault: Fault = {
    number: 12_345,
    kind: 'queue-old',
    subject: 'it',
    severity: 'critical',
    text: 'The oldest of 3 queued has waited for 2h',
    openedAt: 0,
    lastAt: 0,
    owner: null,
    ownedSince: null,
    clearedAt: null,
    clearedBy: null,
    count: 1,
    revision: 1,
    announced: 0,
  };

  it.each(
    Object.keys(faultKinds) as FaultId[],
  )('%s: the first line fits 60 columns, the others break there', (kind) => {
    const base = { ...fault, kind, severity: faultKinds[kind].severity };
    const told = [
      base,
      { ...base, owner: 'wilhelmine' },
      { ...base, announced: 2 },
      { ...base, announced: 2, clearedAt: 3 * hour },
      { ...base, announced: 2, clearedAt: 3 * hour, clearedBy: 'wilhelmine' },
    ].map((each) => changeLines(each, 3 * hour, language));
    for (const text of told) {
      const [first = ''] = text.split('\n');
      expect(first.length, first).toBeLessThanOrEqual(60);
      for (const line of wrapped(text, 60)) expect(line.length, line).toBeLessThanOrEqual(60);
      expect(text).not.toMatch(/undefined|null|\.\./);
    }
    const { title, meaning, action } = faultWords(kind, language);
    expect(told[0]).toBe(
      [
        `f12345 ${p.severities[base.severity]}: ${title}.`,
        'The oldest of 3 queued has waited for 2h.',
        p.faultDo(action),
        p.faultTake('f12345'),
      ].join('\n'),
    );
    for (const line of wrapped(meaning, 60)) expect(line.length, line).toBeLessThanOrEqual(60);
    // Translated, and not only copied.
    if (language !== 'en') for (const words of [title, meaning, action]) expect(catalogue()).not.toContain(words);
  });
});
