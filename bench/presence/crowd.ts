// The XMPP server of the measurements, in a process of its own so that its work is not measured: 10,000 people with three
// clients each, all there. Started by run.ts, told what to do by messages.
import { limits } from '../../src/sandbox/xmpp-server/options.ts';
import { createXmppServer } from '../../src/sandbox/xmpp-server/xmpp-server.ts';

export const domain = 'example.test';
export const people = 10_000;
export const nameOf = (index: number): string => `person${index}`;
const clients = ['desk', 'phone', 'tablet'] as const;
const shows = ['<show>chat</show>', '', '<show>away</show>', '<show>xa</show>', '<show>dnd</show>'] as const;

/** `change`: that many changes, each of somebody else and each visible. `restart`: kill -9, and up again. */
export type Order = { readonly change: number } | 'restart';

/** When it was sent, by a clock that both processes share: the status says so. */
export const stampOf = (status: string | undefined): bigint | null => {
  const [, stamp] = /^turn \d+ at (\d+)$/.exec(status ?? '') ?? [];
  return stamp === undefined ? null : BigInt(stamp);
};

async function serve(): Promise<void> {
  // Those of the sandbox's server are for a sandbox.
  Object.assign(limits, { unackedStanzas: 1e6, rosterItems: 1e6, outputBytes: 1e9 });
  const accounts = Object.fromEntries(Array.from({ length: people }, (_, index) => [nameOf(index), 'pw']));
  const server = createXmppServer({
    domain,
    accounts: { bot: 'pw', ...accounts },
    sharedRoster: { hub: 'bot' },
    offlinePresence: 'silence',
  });
  const say = (index: number, client: string, show: string, status: string, priority: number): void =>
    server.faults.inject(
      `bot@${domain}/pm`,
      `<presence from='${nameOf(index)}@${domain}/${client}'>${show}<status>${status}</status><priority>${priority}</priority></presence>`,
    );
  let turn = 0;
  server.onStanza((stanza, direction, jid) => {
    if (direction !== 'in' || stanza.name !== 'presence' || stanza.attrs.to !== undefined) return;
    if (!jid.startsWith('bot@') || stanza.attrs.type !== undefined) return;
    turn = 0;
    setImmediate(() => {
      for (let index = 0; index < people; index += 1)
        for (const client of clients) say(index, client, shows[index % 5] ?? '', `at the ${client}`, 0);
    });
  });
  const { port } = await server.start();
  process.send?.({ port });
  process.on('message', (order: Order) => {
    if (order === 'restart') {
      server
        .stop('abruptly')
        .then(() => server.start())
        .catch((error: unknown) => {
          throw error;
        });
      return;
    }
    for (let each = 0; each < order.change; each += 1) {
      turn += 1;
      // Each round speaks for its person: what another client says better would be no visible change.
      const priority = 1 + Math.floor(turn / people);
      const status = `turn ${turn} at ${process.hrtime.bigint()}`;
      say((turn * 7919) % people, clients[turn % 3] ?? 'desk', shows[0], status, priority);
    }
  });
  process.on('disconnect', () => process.exit());
}

if (process.send !== undefined && process.argv.includes('--serve')) await serve();
