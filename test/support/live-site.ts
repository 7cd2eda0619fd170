// A whole site for the live stories: Postfix in front, Pointsman, Postfix behind with the Maildirs, Prosody, and people.
// Configured as docs/operate/ says, with other ports.
import { freePorts } from './free-port.ts';
import { type Peer, People, type Person } from './person.ts';
import { PointsmanProcess } from './pointsman-process.ts';
import { documented, Postfix } from './postfix.ts';
import { Prosody, type ProsodyOptions } from './prosody-server.ts';
import { SmtpTalk } from './smtp-talk.ts';

const passwords = { pointsman: 'p-1', anna: 'a-2', bert: 'b-3', cleo: 'c-4', mallory: 'm-5' };
export const accounts = passwords;
export const room = 'support@rooms.example.test';
export const bot = 'pointsman@example.test';

export interface LiveSite<Server extends Peer & AsyncDisposable = Prosody> extends AsyncDisposable {
  readonly front: Postfix;
  readonly back: Postfix;
  readonly prosody: Server;
  readonly pointsman: PointsmanProcess;
  readonly people: People;
  readonly anna: Person;
  readonly bert: Person;
  /** Known to the rules, but in no group. */
  readonly cleo: Person;
  /** Has an account, and is in no rule. */
  readonly mallory: Person;
  /** Hands a mail to the Postfix in front. */
  post(to: string, subject: string, options?: { from?: string; content?: Buffer }): Promise<void>;
}

export function openLiveSite(
  rules: string,
  {
    config = {},
    ...more
  }: Pick<ProsodyOptions, 'unlimited' | 'takes'> & { readonly config?: Readonly<Record<string, unknown>> } = {},
): Promise<LiveSite> {
  const prosody = Prosody.start({ domain: 'example.test', accounts: passwords, sharedRoster: true, ...more });
  return openSiteOn(rules, prosody, config);
}

/** On another chat server, with the same accounts. */
export async function openSiteOn<Server extends Peer & AsyncDisposable>(
  rules: string,
  server: Promise<Server>,
  config: Readonly<Record<string, unknown>> = {},
): Promise<LiveSite<Server>> {
  const [frontPort, smtpPort, backPort, httpPort] = (await freePorts(4)) as [number, number, number, number];
  const ports = { 10025: smtpPort, 10026: backPort };
  const members = ['anna', 'bert', 'cleo', 'chief', 'duty'].map((name) => `${name}@example.test`);
  await using undo = new AsyncDisposableStack();
  const open = async <T extends AsyncDisposable>(opening: Promise<T>): Promise<T> => undo.use(await opening);
  const [front, back, prosody] = await Promise.all([
    open(
      Postfix.start({
        name: 'front',
        port: frontPort,
        main: `myhostname = front.test
virtual_mailbox_domains = example.test
relay_domains = desk.example.test
${documented('front main.cf', ports)}`,
        master: `127.0.0.1:${frontPort} inet n - n - 4 smtpd\n${documented('front master.cf', ports)}`,
        files: { 'pointsman-groups': documented('front pointsman-groups', ports) },
        // Group addresses stand here so that they are accepted; the transport map takes them to Pointsman.
        mailboxes: ['local@example.test', 'support@example.test', 'sales@example.test'],
      }),
    ),
    open(
      Postfix.start({
        name: 'back',
        port: backPort,
        main: 'myhostname = back.test\nvirtual_mailbox_domains = example.test, desk.example.test\n',
        master: documented('back master.cf', ports),
        mailboxes: [...members, 'plain@desk.example.test'],
      }),
    ),
    open(server),
  ]);
  const people = undo.use(new People(prosody));
  const pointsman = undo.use(
    await PointsmanProcess.configure({
      smtpPort,
      httpPort,
      nextHopPort: backPort,
      domains: ['example.test', 'desk.example.test'],
      rules,
      xmpp: { server: prosody, account: 'pointsman', password: passwords.pointsman },
      config: { size: '200kB', ...config },
    }),
  );
  await pointsman.start();
  const keep = undo.move();
  return {
    front,
    back,
    prosody,
    pointsman,
    people,
    anna: people.person('anna', passwords.anna),
    bert: people.person('bert', passwords.bert),
    cleo: people.person('cleo', passwords.cleo),
    mallory: people.person('mallory', passwords.mallory),
    async post(to, subject, { from = 'customer@elsewhere.test', content = mailWith(subject, to, from) } = {}) {
      using talk = await SmtpTalk.open(frontPort);
      await talk.hello();
      await talk.mail(from, to, content);
    },
    [Symbol.asyncDispose]: () => keep.disposeAsync(),
  };
}

export function mailWith(subject: string, to: string, from = 'customer@elsewhere.test'): Buffer {
  const lines = [
    `From: Customer <${from}>`,
    `To: ${to}`,
    `Subject: ${subject}`,
    'Date: Mon, 23 Nov 2026 06:00:00 +0000',
    `Message-ID: <${crypto.randomUUID()}@elsewhere.test>`,
    '',
    'Hello, can somebody look at this, please?',
    '',
  ];
  return Buffer.from(lines.join('\r\n'), 'latin1');
}
