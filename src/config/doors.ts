// The part of the configuration that says where MTAs ask: the milter, and the lookups. Pure.
import type { Duration } from '../clock.ts';
import { quote, type Report } from '../routing/problem.ts';
import { type configFileSchema, defaults, isLoopback } from './config-file.ts';

export type Socket = { readonly host: string; readonly port: number } | { readonly path: string };

export interface MilterConfig {
  readonly listen: readonly Socket[];
  /** What the MTA is told when we fail. */
  readonly onFailure: 'tempfail' | 'accept';
  /** What becomes of mail that the rules would hold, which a milter cannot; null: such rules are refused. */
  readonly hold: 'tempfail' | 'quarantine' | null;
  /** All mail of this MTA is members' own. Mail sent with a password always is. */
  readonly carriesMembers: boolean;
}

export interface LookupConfig {
  readonly socketmap: readonly Socket[];
  readonly tcpTable: readonly Socket[];
  /** How long a group's answer stays the same while that member stays eligible. */
  readonly steady: Duration;
}

type ConfigFile = NonNullable<ReturnType<typeof configFileSchema.read>>;

export function milterOf(milter: ConfigFile['milter']): { milter?: MilterConfig } {
  if (milter === undefined) return {};
  const { listen, onFailure = defaults.milter.onFailure, hold = null, carries } = milter;
  return { milter: { listen: listen?.value ?? [], onFailure, hold, carriesMembers: carries === 'members' } };
}

export function lookupOf(lookup: NonNullable<ConfigFile['lookup']>['value'] | undefined): { lookup?: LookupConfig } {
  if (lookup === undefined) return {};
  const { socketmap, tcpTable, steady = defaults.steady } = lookup;
  return { lookup: { socketmap: socketmap?.value ?? [], tcpTable: tcpTable?.value ?? [], steady } };
}

/** These protocols know no password: who is not on this machine must be a peer. */
export function checkDoors({ milter, lookup, peers }: ConfigFile, report: Report): void {
  if (lookup && lookup.value.socketmap === undefined && lookup.value.tcpTable === undefined)
    report.error(lookup.place, 'the lookup has neither "socketmap" nor "tcpTable", so nobody can ask');
  for (const door of [milter?.listen, lookup?.value.socketmap, lookup?.value.tcpTable]) {
    const open = door?.value.find((address) => 'host' in address && !isLoopback(address.host));
    if (door && open && 'host' in open && (peers === undefined || peers.count === 0))
      report.error(
        door.place,
        `${quote(open.host)} can be reached from other machines, but there are no peers, so nobody may ask`,
      );
  }
}
