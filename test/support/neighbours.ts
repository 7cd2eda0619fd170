// The MTAs of others that the interop tests run beside Pointsman, and what each is known to do.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { documentedIn } from './documented.ts';
import { eximRoot, startExim } from './exim.ts';
import { untilListening } from './free-port.ts';
import { groupAddresses } from './mta-site.ts';
import type { Neighbour, Ports } from './neighbour.ts';
import { opensmtpdRoot, startOpensmtpd } from './opensmtpd.ts';
import { Sendmail, sendmailRoot } from './sendmail.ts';

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
  /** It closes connections that are idle for three seconds. */
  readonly closesIdle: boolean;
  /** STARTTLS of its own works. */
  readonly servesTls: boolean;
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
   * At its back door it knows everybody but `unknown`, has `busy` come later until `calm()`, and
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
      closesIdle: true,
      servesTls: true,
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

export const sendmail = async (): Promise<Kind> => {
  const root = await sendmailRoot();
  return {
    name: 'Sendmail',
    root,
    traits: {
      pipelines: true,
      tellsSize: true,
      tells8bit: true,
      handsOnDsn: true,
      offersDsn: true,
      smtputf8: false,
      poorWithoutDsn: true,
      poorWithout8bit: false,
      faithful: true,
      closesIdle: true,
      servesTls: true,
      sealed: /\(version=TLSv1\.3 /,
      logs: (queueId) => `<<< 250 2.0.0 Ok: queued as ${queueId}`,
    },
    async start(ports, { certificates, poor = false } = {}) {
      const documented = (block: string, folder: string) =>
        documentedIn('interop', block, { 10025: ports.pointsman, 10026: ports.back }).replaceAll('/etc/mail', folder);
      const own = await Sendmail.start({
        root: root ?? '',
        port: ports.front,
        nextHop: ports.sink,
        // Not the address at which it reaches Pointsman: what it demands of the one it does not demand of the other.
        nextHopAt: '127.0.0.2',
        arguments: ['-q1s'],
        files: { 'pointsman-groups': groupList, busy: 'busy@out.test\n', ...tlsFiles(certificates) },
        lines: [
          "define(`confMAX_MESSAGE_SIZE', `100000')dnl",
          "define(`confTO_COMMAND', `3s')dnl",
          "define(`confMIN_QUEUE_AGE', `0')dnl",
          ...(certificates
            ? [
                "define(`confCACERT_PATH', `/mnt')dnl",
                "define(`confCACERT', `/mnt/ca.crt')dnl",
                "define(`confSERVER_CERT', `/mnt/server.crt')dnl",
                "define(`confSERVER_KEY', `/mnt/server.key')dnl",
              ]
            : []),
          ...(poor ? ["define(`confPRIVACY_FLAGS', `noreceipts')dnl"] : []),
          '',
        ].join('\n'),
        rules: (folder) => `${documented('sendmail relay.mc', folder)}
${certificates ? documented('sendmail tls.mc', folder).replace('192.0.2.10', '127.0.0.1') : ''}
LOCAL_CONFIG
Kbusy text -k0 -v0 ${folder}/busy
LOCAL_RULESETS
SLocal_check_rcpt
R$*	$: $>canonify $1
Runknown < @ $* >	$#error $@ 5.1.1 $: "550 no such person here"
R$+ < @ $+ . >	$: $1 < @ $2 >
R$+ < @ $+ >	$: $1 < @ $2 > $| $(busy $1@$2 $: NO $)
R$* $| NO	$: $1
R$* $| $*	$#error $@ 4.2.1 $: "450 busy for now"
`,
      });
      await untilListening(ports.back, { within: 20_000, greeting: true });
      return {
        log: () => own.traffic(),
        calm: () => writeFile(join(own.folder, 'busy'), '\n'),
        [Symbol.asyncDispose]: () => own[Symbol.asyncDispose](),
      };
    },
  };
};

export const opensmtpd = async (): Promise<Kind> => {
  const root = await opensmtpdRoot();
  return {
    name: 'OpenSMTPD',
    root,
    traits: {
      pipelines: false,
      tellsSize: false,
      tells8bit: false,
      handsOnDsn: true,
      offersDsn: true,
      smtputf8: false,
      poorWithoutDsn: false,
      poorWithout8bit: false,
      faithful: true,
      closesIdle: false,
      // Debian's 6.8.0p2 with OpenSSL 3 ends every handshake as server with alert 80, whatever the key.
      servesTls: false,
      sealed: /TLS/,
      logs: (queueId) => `stat="250 2.0.0 Ok: queued as ${queueId}"`,
    },
    start: (ports, { certificates } = {}) =>
      startOpensmtpd({
        root: root ?? '',
        ports,
        files: { 'pointsman-groups': groupList, busy: 'busy@out.test\n', ...tlsFiles(certificates) },
        blocks: ['opensmtpd smtpd.conf'],
        filter: 'back',
        tls: certificates !== undefined,
        head: (folder) => `smtp max-message-size 100000
smtp limit max-mails 3
table busy file:${folder}/busy
filter busy phase rcpt-to match rcpt-to <busy> reject "450 4.2.1 busy for now"
filter unknown phase rcpt-to match rcpt-to regex "^unknown@" reject "550 5.1.1 no such person here"
filter back chain { busy, unknown }
`,
        calm: (folder) => writeFile(join(folder, 'busy'), 'nobody@out.test\n'),
        ...(certificates ? { authorities: certificates.ca } : {}),
      }),
  };
};

const tlsFiles = (certificates: Certificates | undefined): Readonly<Record<string, string>> =>
  certificates ? { 'ca.crt': certificates.ca, 'server.crt': certificates.cert, 'server.key': certificates.key } : {};
