import { describe, expect, it } from 'vitest';
import { findTargets, type SrvRecord } from '../../../src/xmpp/dial.ts';

const { signal } = new AbortController();
const srv = (name: string, priority = 0, weight = 0, port = 5222): SrvRecord => ({ name, port, priority, weight });
const find = (records: Record<string, SrvRecord[]>, random = () => 0.5) =>
  findTargets(
    { server: null, tls: 'required' },
    'example.test',
    async (name) => {
      const found = records[name.split('.')[0] ?? ''];
      if (!found) throw new Error('SERVFAIL');
      return found;
    },
    random,
    signal,
  );

describe('findTargets', () => {
  it('takes the configured server without asking DNS', async () => {
    const config = { server: { host: 'xmpp.test', port: 1 }, tls: 'required' } as const;
    const never = async (): Promise<SrvRecord[]> => Promise.reject(new Error('asked'));
    expect(await findTargets(config, 'example.test', never, () => 0, signal)).toEqual([
      { host: 'xmpp.test', port: 1, directTls: false },
    ]);
  });

  it('orders by priority, then by weighted chance, both kinds together', async () => {
    const targets = await find({
      '_xmpp-client': [srv('b.test', 20), srv('heavy.test.', 10, 90), srv('light.test', 10, 10)],
      '_xmpps-client': [srv('a.test', 5, 0, 5223)],
    });
    expect(targets.map(({ host, directTls }) => [host, directTls])).toEqual([
      ['a.test', true],
      ['heavy.test', false],
      ['light.test', false],
      ['b.test', false],
    ]);
  });

  it('falls back to the domain, not when DNS says there is none, nor when DNS fails', async () => {
    expect(await find({ '_xmpp-client': [], '_xmpps-client': [] })).toEqual([
      { host: 'example.test', port: 5222, directTls: false },
    ]);
    await expect(find({ '_xmpp-client': [srv('.')], '_xmpps-client': [] })).rejects.toThrow('no XMPP service');
    await expect(find({})).rejects.toThrow('SERVFAIL');
    expect(await find({ '_xmpp-client': [srv('a.test')] })).toHaveLength(1);
  });
});
