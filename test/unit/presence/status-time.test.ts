// Status texts as people write them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hour, minute } from '../../../src/clock.ts';
import { endOfStatus, longestStatus } from '../../../src/presence/status-time.ts';

const zone = 'Europe/Berlin';
/** 10:00 in Berlin. */
const written = Date.parse('2026-11-23T09:00:00Z');
const end = (text: string, now = written + minute): string | null => {
  const at = endOfStatus(text, written, now, zone);
  return at === null ? null : new Date(at + hour).toISOString().slice(11, 16);
};

describe('endOfStatus', () => {
  it.each([
    ['in meeting until 11:30', '11:30'],
    ['In a Meeting, UNTIL 11.30!', '11:30'],
    ['back at 14:00', '14:00'],
    ['back by 2pm', '14:00'],
    ['back at 2:15 p.m. sharp', '14:15'],
    ['bis 15 Uhr', '15:00'],
    ['Zahnarzt bis ca. 15:45', '15:45'],
    ['wieder da um 13 Uhr', '13:00'],
    ['zurück ab 16:00', '16:00'],
    ['zurueck? bis 12', '12:00'],
    ['lunch till 12', '12:00'],
    ['12:00-13:30 lunch', '13:30'],
    ['Besprechung → 11:15', '11:15'],
    ['until noon, then until 12:15', '12:15'],
  ])('%s', (text, expected) => {
    expect(end(text)).toBe(expected);
  });

  it.each([
    'available',
    'since 9:00',
    'until tomorrow',
    'until 5 minutes ago',
    'back in 5 min',
    'room 11:30',
    'until 25:00',
    'until 11:75',
    'bis 3 Tage vor Weihnachten',
    '- 3 items left',
    'until 11:30:45',
    'ab 3',
    'until 13pm',
    'until 50%',
    '',
  ])('reads no time from %j', (text) => {
    expect(end(text)).toBeNull();
  });

  it('counts from when it was written: an old text is about that day', () => {
    expect(end('until 11:30', written + 2 * hour)).toBeNull();
    expect(end('until 9:00')).toBeNull(); // tomorrow: longer than anybody means
    expect(end('until 21:59', written + minute)).toBe('21:59');
  });

  it('never lasts longer than half a day, never lies in the past, and lives with any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.nat(23), fc.nat(24 * 60), (noise, at, later) => {
        const now = written + later * minute;
        const found = endOfStatus(`${noise} until ${at}:00 ${noise}`, written, now, zone);
        if (found === null) return;
        expect(found).toBeGreaterThan(now);
        expect(found - written).toBeLessThanOrEqual(longestStatus);
      }),
    );
  });

  it('is quick on what was made to be slow', () => {
    const start = performance.now();
    for (const text of ['back '.repeat(100), 'until'.repeat(100), '-'.repeat(500), '→ ~'.repeat(100)]) end(text);
    expect(performance.now() - start).toBeLessThan(200);
  });
});
