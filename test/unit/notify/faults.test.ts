// The page of faults says what the catalogue says; every fault is told in words an operator can act on.
import { describe, expect, it } from 'vitest';
import { catalogue, type FaultKind, faultKinds, isFaultId } from '../../../src/notify/faults.ts';

describe('the catalogue of faults', () => {
  it('is the page docs/operate/faults.md', async () => {
    await expect(catalogue()).toMatchFileSnapshot('../../../docs/operate/faults.md');
  });

  it.each(Object.entries(faultKinds) as [string, FaultKind][])('%s says what to do', (id, kind) => {
    expect(id).toMatch(/^[a-z]+(-[a-z]+)+$/);
    expect(kind.meaning.endsWith('.')).toBe(true);
    expect(kind.action.length).toBeGreaterThan(20);
    expect(kind.clears).toMatch(/^(when|by) /);
  });

  it('knows its ids and no property of objects', () => {
    expect(isFaultId('disk-low')).toBe(true);
    expect(isFaultId('constructor')).toBe(false);
  });
});
