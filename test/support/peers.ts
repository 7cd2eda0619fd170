// The programs of others that live tests talk to: whether they are here, and what to install. A missing peer skips its
// suites, saying so; with CI=true it is a failure, because a suite that silently never runs proves nothing.
//
//   describe.skipIf(!requirePeer('postfix', 'prosody'))('mail through Postfix', () => { … });
import { spawnSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';

interface Peer {
  /** Debian's package. */
  readonly debian: string;
  /** Only the long tests need it. */
  readonly long?: boolean;
  isHere(): boolean;
}

/** The system's own Python: Debian's modules are for it, not for whichever comes first in PATH. */
export const systemPython = '/usr/bin/python3';

// Daemons are in sbin, which an ordinary user's PATH leaves out.
const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin'];

/** The full path of a program; undefined when it is not installed. */
export function programPath(name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** What makes a process believe in another time. */
export function fakeTimeLibrary(): string | undefined {
  return globSync('/usr/lib/*/faketime/libfaketime.so.1')[0];
}

const program = (name: string, debian = name): Peer => ({ debian, isHere: () => programPath(name) !== undefined });

const known = {
  postfix: program('postfix'),
  dovecot: program('dovecot', 'dovecot-imapd'),
  prosody: program('prosody'),
  luaUnbound: { debian: 'lua-unbound', isHere: () => globSync('/usr/lib/*/lua/5.4/lunbound.so').length > 0 },
  dnsmasq: program('dnsmasq', 'dnsmasq-base'),
  slapd: program('slapd'),
  ldapsearch: program('ldapsearch', 'ldap-utils'),
  swaks: program('swaks'),
  dovecotLmtp: {
    debian: 'dovecot-lmtpd',
    isHere: () => existsSync('/usr/lib/dovecot/lmtp') && programPath('dovecot') !== undefined,
  },
  faketime: { debian: 'libfaketime', long: true, isHere: () => fakeTimeLibrary() !== undefined },
  ejabberd: { debian: 'ejabberd', long: true, isHere: () => programPath('ejabberdctl') !== undefined },
  chromium: program('chromium'),
  opendkim: { ...program('opendkim'), long: true },
  miltertest: { ...program('miltertest'), long: true },
  profanity: program('profanity'),
  tmux: program('tmux'),
  slixmpp: {
    debian: 'python3-slixmpp',
    isHere: () => existsSync(systemPython) && spawnSync(systemPython, ['-c', 'import slixmpp']).status === 0,
  },
} satisfies Record<string, Peer>;

export type PeerName = keyof typeof known;
const peers: Readonly<Record<PeerName, Peer>> = known;
/** What `npm test` needs; and all that any test needs. */
export const everyPeerName = Object.keys(known) as PeerName[];
export const peerNames = everyPeerName.filter((name) => peers[name].long !== true);

export function missingPeers(names: readonly PeerName[] = peerNames): readonly PeerName[] {
  return names.filter((name) => !known[name].isHere());
}

export function debianPackages(names: readonly PeerName[]): readonly string[] {
  return names.map((name) => known[name].debian);
}

/** True when all are here. @throws with CI=true when one is not. */
export function requirePeer(...names: readonly PeerName[]): boolean {
  const missing = missingPeers(names);
  if (missing.length === 0) return true;
  const reason = `not installed: ${missing.join(', ')} (Debian: apt-get install ${debianPackages(missing).join(' ')})`;
  if (process.env.CI === 'true') throw new Error(`with CI=true every live suite must run, but ${reason}`);
  process.stderr.write(`SKIPPED live suite, ${reason}\n`);
  return false;
}
