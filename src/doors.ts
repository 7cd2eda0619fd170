// The doors at which MTAs ask and keep queue and delivery to themselves: the milter, and the lookups. Opened together,
// closed together; who may ask is the same for all.
import type { Clock, Duration } from './clock.ts';
import { isLoopback } from './config/config-file.ts';
import type { Config } from './config.ts';
import type { Advisor } from './intake.ts';
import type { Log } from './log.ts';
import { createLookupDoor } from './lookup/server.ts';
import type { Found } from './lookup/wire.ts';
import { parseNetwork } from './mail/network.ts';
import { describeAddress } from './milter/listening.ts';
import { createMilter } from './milter/milter.ts';
import { createRouter, routerActions } from './milter/router.ts';

/** All that the configuration names, or none. */
export async function openDoors(
  { milter, lookup, peers, hostname, size }: Config,
  relay: {
    readonly advisor: Advisor;
    lookup(steady: Duration): (map: string | null, key: string) => Found;
  },
  { clock, log }: { clock: Clock; log: Log },
): Promise<{ readonly at: readonly string[]; close(): Promise<void> }> {
  const networks = peers.flatMap(({ network }) => parseNetwork(network) ?? []);
  const admit = (address: string) => isLoopback(address) || networks.some((includes) => includes(address));
  const at: string[] = [];
  const open: { close(): Promise<void> }[] = [];
  const close = async () => void (await Promise.all(open.map((door) => door.close())));
  try {
    if (milter) {
      const { advisor } = relay;
      const router = createRouter({ ...milter, advisor, hostname, log });
      const server = createMilter(router, {
        clock,
        admit,
        actions: routerActions,
        body: () => advisor.keepsContent(),
        recipients: () => advisor.refusesByEnvelope(),
        onFailure: milter.onFailure,
        limits: { message: size },
        onProblem: (what, error) => log[what === 'handler' ? 'error' : 'warn']({ err: error, what }, 'milter'),
      });
      open.push(server);
      for (const address of milter.listen) at.push(`milter ${describeAddress(await server.listen(address))}`);
    }
    if (lookup) {
      const ask = relay.lookup(lookup.steady);
      const door = createLookupDoor({ answer: ({ map, key }) => ask(map, key), admit, log });
      open.push(door);
      for (const address of lookup.socketmap)
        at.push(`socketmap ${describeAddress(await door.listen('socketmap', address))}`);
      for (const address of lookup.tcpTable)
        at.push(`tcp_table ${describeAddress(await door.listen('tcp table', address))}`);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { at, close };
}
