// An OpenSMTPD of the test's own, unpacked from Debian's package, in a world where its users and fixed paths are. What an
// admin copies comes from docs/operate/interop.md.
import { chmod, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Child, endWithTest, run } from './child.ts';
import { documentedIn } from './documented.ts';
import { untilListening } from './free-port.ts';
import type { Neighbour, NeighbourOptions } from './neighbour.ts';
import { tempFolder } from './temp-folder.ts';
import { idOf, inWorld, unpacked } from './unpacked.ts';

// The daemon's, and the queue's.
const users = ['opensmtpd', 'opensmtpq'];

export const opensmtpdRoot = (): Promise<string | undefined> =>
  unpacked('opensmtpd-6', ['opensmtpd', 'libevent-2.1-7']);

export interface OpensmtpdParts {
  /** Before the documented lines, given the folder. */
  readonly head?: (folder: string) => string;
  /** Documented ones, and others, in their order. */
  readonly blocks: readonly string[];
  /** Instead of the last lines: where everything else goes. */
  readonly tail?: string;
  /** The name of a filter of `head` for mail from Pointsman. */
  readonly filter?: string;
  /** It shows server.crt, and insists on TLS with Pointsman. */
  readonly tls?: boolean;
  /** Whom it believes. */
  readonly authorities?: string;
  /** Where it looks for its helpers, besides its own. */
  readonly helpers?: Readonly<Record<string, string>>;
}

export interface Opensmtpd extends Neighbour {
  /** smtpctl(8). */
  control(...words: string[]): Promise<string>;
}

export async function startOpensmtpd(
  options: NeighbourOptions & OpensmtpdParts & { readonly calm?: (folder: string) => Promise<void> },
): Promise<Opensmtpd> {
  const { root, ports, files = {} } = options;
  await using undo = new AsyncDisposableStack();
  const folder = undo.use(await tempFolder('opensmtpd', { open: true }));
  const at = (name: string) => join(folder.path, name);
  const own = { folder: folder.path, users };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(at(name), text, { mode: name.endsWith('.key') ? 0o600 : 0o644 });
  }
  for (const [name, text] of Object.entries(options.helpers ?? {})) {
    await writeFile(at(name), text);
    await chmod(at(name), 0o755);
  }
  const documented = (block: string) =>
    documentedIn('interop', block, { 10025: ports.pointsman, 10026: ports.back }).replaceAll('/etc/mail', folder.path);
  const listening = `${options.tls ? ' tls pki localhost' : ''}${options.filter ? ` filter ${options.filter}` : ''}`;
  const fitted = (block: string): string => {
    const text = documented(block).replace('tag POINTSMAN\n', `tag POINTSMAN${listening}\n`);
    if (!options.tls) return text;
    const sealed = documented('opensmtpd tls').replace('relay.example.test', 'localhost');
    return text.replace(/^action "pointsman".*\n/m, sealed);
  };
  const pki = options.tls ? `pki localhost cert "${at('server.crt')}"\npki localhost key "${at('server.key')}"\n` : '';
  await writeFile(
    at('smtpd.conf'),
    `${pki}${options.head?.(folder.path) ?? ''}
listen on 127.0.0.1 port ${ports.front}
${options.blocks.map(fitted).join('')}
${options.tail ?? `action "sink" relay host smtp+notls://127.0.0.1:${ports.sink}\nmatch from any for any action "sink"`}
`,
  );
  if (options.authorities !== undefined) await writeFile(at('authorities'), options.authorities);
  const world = await inWorld({
    ...own,
    root,
    hostname: 'opensmtpd.test',
    empty: ['/var/spool', '/var/lib', '/run'],
    prepare: [
      'mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty',
      'chmod 711 /var/spool/smtpd',
      // The one folder for its own helpers and those of others.
      `mkdir /run/libexec && cp -r ${root}/usr/libexec/. /run/libexec/`,
      ...Object.keys(options.helpers ?? {}).map((name) => `cp '${at(name)}' /run/libexec/opensmtpd/`),
      'mount --bind /run/libexec /usr/libexec',
      // It insists on this.
      `cp ${root}/usr/sbin/smtpctl /run/smtpctl && chgrp ${users[1]} /run/smtpctl && chmod 2755 /run/smtpctl`,
      ...(options.authorities === undefined
        ? []
        : [`mount --bind '${at('authorities')}' /etc/ssl/certs/ca-certificates.crt`]),
    ],
  });
  const ids = users.map((user) => idOf(own, user));
  await chown(at('smtpd.conf'), 0, 0);
  const daemon = undo.use(
    new Child('opensmtpd', [...world, join(root, 'usr/sbin/smtpd'), '-d', '-v', '-f', at('smtpd.conf')]),
  );
  undo.defer(endWithTest(daemon.pid));
  const log = async () => `${daemon.errors.seen().join('\n')}\n(ids ${ids.join(', ')})`;
  for (const port of [ports.front, ports.back])
    await untilListening(port, { within: 20_000, signal: daemon.gone, greeting: true }).catch(
      async (cause: unknown) => {
        throw new Error(`OpenSMTPD did not come up: ${await log()}`, { cause });
      },
    );
  const control = (...words: string[]) =>
    run(['nsenter', '--target', String(daemon.pid), '--mount', '--uts', '/run/smtpctl', ...words]);
  const keep = undo.move();
  return {
    log,
    control,
    async calm() {
      await options.calm?.(folder.path);
      await control('update', 'table', 'busy');
    },
    async hurry() {
      await control('resume', 'route', 'all').catch(() => undefined);
      await control('schedule', 'all');
    },
    [Symbol.asyncDispose]: () => keep.disposeAsync(),
  };
}
