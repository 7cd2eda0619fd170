// The machine's facts, parsed once from pointsman.yaml into a frozen value. Nothing else reads files, environment or
// arguments for settings.
import type { Duration } from './clock.ts';
import type { BareJid } from './presence/jid.ts';
import type { NextHop } from './transport.ts';

export interface Config {
  /** Our name in greetings, Received and reports. */
  readonly hostname: string;
  /** Absolute path; 0700, ours alone. */
  readonly state: string;
  /** Absolute path of the rules folder. */
  readonly rules: string;
  readonly listen: readonly { readonly host: string; readonly port: number; readonly carriesMembers: boolean }[];
  /** /healthz, /readyz and /metrics; loopback only. */
  readonly http: { readonly host: string; readonly port: number };
  /** Who may relay. Empty: nobody. CIDR or single addresses. */
  readonly peers: readonly { readonly network: string; readonly carriesMembers: boolean }[];
  /** Domains that mail may go to, lower-case, besides the addresses of groups and people. */
  readonly domains: readonly string[];
  readonly nextHops: { readonly default: NextHop; readonly byDomain: ReadonlyMap<string, NextHop> };
  /** Largest message, in octets. */
  readonly size: number;
  readonly queue: {
    /** Given up and reported after this. */
    readonly lifetime: Duration;
    readonly firstRetry: Duration;
    readonly longestRetry: Duration;
    /** Content of a finished message is deleted after this. */
    readonly keepContent: Duration;
  };
  readonly xmpp: XmppConfig | null;
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error' /** null: pretty on a terminal */;
    readonly pretty: boolean | null;
  };
}

export interface XmppConfig {
  readonly jid: BareJid;
  readonly resource: string;
  /** Read from the file named in the config; never logged. */
  readonly password: string;
  /** `host:port`, or null for what DNS says of the JID's domain. */
  readonly server: { readonly host: string; readonly port: number } | null;
  /** `none` is for the sandbox alone: the config parser refuses it. */
  readonly tls: 'required' | 'none';
  /** PEM of the authorities trusted for this link only; null for the system's. */
  readonly ca: string | null;
  /** Our nick in rooms. */
  readonly nick: string;
  /** Outbound pace in octets per second (servers throttle: see the reference). */
  readonly rate: number;
}
