// The MTAs of others that the interop tests run beside Pointsman, and what each is known to do.
import { eximRoot, startExim } from './exim.ts';
import { groupAddresses } from './mta-site.ts';
import type { Neighbour, Ports } from './neighbour.ts';

export interface Traits {
  /** It says MAIL, RCPT and DATA in one segment. */
  readonly pipelines: boolean;
  /** It tells the size with MAIL. */
  readonly tellsSize: boolean;
  readonly tells8bit: boolean;
  /** It hands on NOTIFY and ORCPT, RET and ENVID. */
  readonly handsOnDsn: boolean;
  /** It offers DSN to Pointsman. */
  readonly offersDsn: boolean;
  readonly smtputf8: boolean;
  /** It can be made to offer no DSN, no 8BITMIME. */
  readonly poorWithoutDsn: boolean;
  readonly poorWithout8bit: boolean;
  /** It leaves the content as it is, lines of 998 octets included. */
  readonly faithful: boolean;
  /** In the trace header of what it took from Pointsman inside TLS. */
  readonly sealed: RegExp;
  /** As its log shows our answer. */
  readonly logs: (queueId: string) => string | RegExp;
}

export interface Kind {
  readonly name: string;
  readonly root: string | undefined;
  readonly traits: Traits;
  /**
   * At its back door it knows everybody but `unknown`, has `busy` come later as long as the file `busy` is there, and
   * takes 100,000 octets at most.
   */
  start(ports: Ports, options?: StartOptions): Promise<Neighbour>;
}

export interface StartOptions {
  /** It shows this, for `localhost`, and insists on TLS with Pointsman, whose certificate must be by the same authority. */
  readonly certificates?: Certificates;
  /** It offers as little as it can be made to. */
  readonly poor?: boolean;
}

export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** What stands in a file of groups. */
const groupList = groupAddresses.map((address) => `${address}\n`).join('');

export const exim = async (): Promise<Kind> => {
  const root = await eximRoot();
  return {
    name: 'Exim',
    root,
    traits: {
      pipelines: true,
      tellsSize: true,
      // It sends eight bits to whoever offers 8BITMIME, and does not say so.
      tells8bit: false,
      handsOnDsn: true,
      offersDsn: true,
      smtputf8: true,
      poorWithoutDsn: true,
      poorWithout8bit: true,
      faithful: true,
      sealed: /with esmtps {2}\(TLS1\.3\)/,
      logs: (queueId) => `C="250 2.0.0 Ok: queued as ${queueId}"`,
    },
    start: (ports, { certificates, poor = false } = {}) =>
      startExim({
        root: root ?? '',
        ports,
        files: { 'pointsman-groups': groupList, busy: '', ...tlsFiles(certificates) },
        tls: certificates !== undefined,
        main: (folder) =>
          [
            'message_size_limit = 100K',
            'smtp_receive_timeout = 3s',
            ...(certificates
              ? [`tls_certificate = ${folder}/server.crt`, `tls_privatekey = ${folder}/server.key`]
              : ['tls_advertise_hosts =']),
            ...(poor ? ['accept_8bitmime = no', 'smtputf8_advertise_hosts =', 'pipelining_advertise_hosts ='] : []),
          ].join('\n'),
        acl: (folder) => `  deny  local_parts = unknown
        message = 5.1.1 no such person here
  defer local_parts = busy
        condition = \${if exists{${folder}/busy}}
        message = 4.2.1 busy for now`,
        ...(poor ? { omit: ['dsn_advertise_hosts'] } : {}),
      }),
  };
};

const tlsFiles = (certificates: Certificates | undefined): Readonly<Record<string, string>> =>
  certificates ? { 'ca.crt': certificates.ca, 'server.crt': certificates.cert, 'server.key': certificates.key } : {};
