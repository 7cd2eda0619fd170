// Real peers that live tests need. Without one its suite is skipped and says so; where CI=true that is a failure,
// because a suite that quietly did not run proves nothing.
import { spawnSync } from 'node:child_process';

interface Peer {
  /** Exits with 0 when the peer can be used. */
  readonly check: readonly [string, ...string[]];
  readonly root?: boolean;
  /** The Debian packages that bring it. */
  readonly packages: string;
}

// Python by its full path: the Debian package serves Debian's Python, which need not be the first on PATH.
const peers = {
  postfix: { check: ['postconf', '-d', 'mail_version'], root: true, packages: 'postfix' },
  prosody: { check: ['sh', '-c', 'command -v prosody && command -v prosodyctl && id prosody'], packages: 'prosody' },
  slixmpp: { check: ['/usr/bin/python3', '-c', 'import slixmpp'], packages: 'python3-slixmpp' },
  openssl: { check: ['openssl', 'version'], packages: 'openssl' },
} as const satisfies Record<string, Peer>;
export type PeerName = keyof typeof peers;

/** Whether all are there; use as `describe.runIf(requirePeer('postfix'))`. @throws when not, under CI=true. */
export function requirePeer(...names: readonly PeerName[]): boolean {
  const missing = names.map((name) => whyNot(name, peers[name])).filter((reason) => reason !== undefined);
  if (missing.length === 0) return true;
  const reason = `this suite cannot run: ${missing.join('; ')}`;
  if (process.env.CI === 'true') throw new Error(reason);
  console.warn(reason);
  return false;
}

function whyNot(name: PeerName, peer: Peer): string | undefined {
  if (peer.root && process.getuid?.() !== 0) return `${name} must be started by root`;
  const [command, ...args] = peer.check;
  const found = spawnSync(command, args, { stdio: 'ignore', timeout: 20_000 }).status === 0;
  return found ? undefined : `${name} is missing (Debian: apt-get install ${peer.packages})`;
}
