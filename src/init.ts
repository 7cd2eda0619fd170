// What `pointsman init` writes: a pointsman.yaml and a first rules folder, both commented, that `pointsman check` finds
// nothing to say about. Times are those of an office, not of a demonstration.

import { rulesJsonSchema } from './routing/reference.ts';

/** Editors complete and check by it while one types. */
const schemaLine = '# yaml-language-server: $schema=rules.schema.json\n';

export interface InitAnswers {
  /** The mail domain: `example.org`. */
  readonly domain: string;
  /** Our name in greetings and Received; `pointsman.<domain>` when not given. */
  readonly hostname?: string;
}

export interface InitFile {
  /** Relative to the folder that is initialised. */
  readonly path: string;
  readonly content: string;
  readonly mode: number;
}

export function initFiles({ domain, hostname = `pointsman.${domain}` }: InitAnswers): readonly InitFile[] {
  return [
    { path: 'pointsman.yaml', content: configFile(domain, hostname), mode: 0o640 },
    { path: 'rules/10-people.yaml', content: schemaLine + peopleFile(domain), mode: 0o644 },
    { path: 'rules/20-groups.yaml', content: schemaLine + groupsFile(domain), mode: 0o644 },
    { path: 'rules/30-routes.yaml', content: schemaLine + routesFile(domain), mode: 0o644 },
    { path: 'rules/rules.schema.json', content: `${JSON.stringify(rulesJsonSchema())}\n`, mode: 0o644 },
  ];
}

const configFile = (domain: string, hostname: string): string => `\
# Pointsman: the facts of this machine. People and policy are in the rules folder.
# "pointsman check" says what is wrong with either. Relative paths start at this file.

# Our name in greetings, in Received and in reports.
hostname: ${hostname}

# Mail on its way and what is remembered of it. Must be ours alone (mode 0700); made at the first start.
state: state

# All *.yaml directly in this folder, ordered by name.
rules: rules

# Where we listen for mail from the mail server beside us. An address that other machines can reach needs "peers".
# "carries: members" says that members' own mail comes in there: only then does a reply count as an answer.
listen:
  - 127.0.0.1:2525
#  - { address: 127.0.0.1:2526, carries: members }

# With a certificate of our own STARTTLS is offered. Renewed files are taken up within a minute.
#tls:
#  certFile: /etc/ssl/pointsman/fullchain.pem
#  keyFile: /etc/ssl/pointsman/privkey.pem     # mode 0600

# Who may relay through us. An empty list: nobody.
peers:
  - 127.0.0.1
  - ::1

# Mail may go to these domains, besides the addresses of groups and people. Anything else is refused, whoever asks.
domains:
  - ${domain}

# Where mail goes on to. Each is host:port, or a map with host, port, tls and maxConnections.
# tls: verify (the certificate must be right; the default), encrypt, may, none (the default on loopback).
nextHops:
  default: 127.0.0.1:10026
#  example.com: { host: mail.example.com, port: 25, tls: verify, maxConnections: 10 }

# The largest message. The mail server beside us should accept no larger one.
size: 50MB

queue:
  lifetime: 5d        # then the sender is told that it failed
  firstRetry: 5m
  longestRetry: 4h
  keepContent: 7d     # content of a finished message
  keepHistory: 30d    # what was noted of it: who had it and why, its events
  onReload: finish    # mail that waits when the rules change ends as it was planned; replan: by the new rules
  delayNotice: 4h     # the sender is told that it is delayed; none: never
  reportLifetime: 2d  # as lifetime, for reports of ours

# The account that sees presence and sends nudges. Until it is there, nobody counts as present, and mail for groups goes
# to the fallback of the group.
#xmpp:
#  jid: pointsman@${domain}
#  passwordFile: xmpp.password        # mode 0600; or passwordCredential: <name> for systemd's LoadCredential=
#  nick: Pointsman                    # in rooms
#  server: chat.${domain}:5222        # when DNS does not say it

# Health and metrics; loopback only.
http: 127.0.0.1:8025

# Pages for browsers; loopback only, so that others come through a proxy with TLS, whose address "url" then names.
# "pointsman user add NAME" says who may sign in.
#console: { address: 127.0.0.1:8026, url: https://pointsman.${domain} }

log:
  level: info         # debug, info, warn, error
  pretty: auto        # true, false, or auto: on a terminal
`;

const peopleFile = (domain: string): string => `\
# Who there is. A person has a mailbox, and a JID: the mail address, unless another is given, or none.
people:
  alice: { mail: alice@${domain} }
  bob: { mail: bob@${domain}, jid: bob@${domain} }
  # An operator may act on any message, not only on those sent to them.
  carol: { mail: carol@${domain}, operator: true }
`;

const groupsFile = (domain: string): string => `\
# Mail for a group goes to the one member who is there now.
groups:
  support:
    address: support@${domain}
    members: [alice, bob]
    strategy: longest-idle          # or in-order, round-robin
    eligible: [chat, available]     # also away, xa, dnd, offline, unknown
    hold: 2m                        # wait this long for somebody; none: do not wait
    fallback: { person: carol }     # then; or { mailbox: … }, or unchanged
    policy: standard

# What happens to mail that nobody reads. The clock starts when a member gets it.
policies:
  standard:
    until: read                     # or taken, answered
    steps:
      - { name: remind, after: 10m, to: owner }
      - { name: next, after: 10m, to: next, times: 2 }
#      - { name: room, after: 5m, to: { room: support@rooms.${domain} } }
      - { name: lead, after: 15m, to: { person: carol } }
`;

const routesFile = (domain: string): string => `\
# Exceptions, from top to bottom; the first that matches wins. Without one, mail for the address of a group goes to the
# group, and all other mail passes through untouched.
routes:
#  - name: invoices
#    match: { recipient: support@${domain}, subject: { regex: '(?i)invoice|receipt' } }
#    group: accounting
#  - name: reports to the group         # '<>' is the sender of delivery reports
#    match: { recipient: support@${domain}, sender: '<>' }
#    pass: true
#  - name: marked as spam
#    match: { header: { X-Spam-Flag: 'YES' } }
#    reject: 'Not wanted here'
`;
