// People and groups from an LDAP directory (RFC 4511), one connection for each reading: connect, TLS, bind, read page by
// page, unbind. Every step has a time limit; nothing is read in part: what is cut short is a failure.
import { readFileSync } from 'node:fs';
import { connect, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { Client, type Entry, ResultCodeError, type SearchResult } from 'ldapts';
import type { LdapConfig } from '../config/directory.ts';
import { buildDirectory, type GroupDraft, type PersonDraft } from '../directory/build.ts';
import type { Flaw, Reading } from '../directory/directory.ts';
import { groupDraft, type LdapEntry, personDraft } from '../directory/ldap-mapping.ts';
import { DirectoryError, type DirectorySource } from '../directory/source.ts';
import type { Log } from '../log.ts';
import { describeError } from '../mail/error.ts';

/** In octets, from one request to the next: a page of 1,000 entries is about one million. */
const mostPerPage = 64_000_000;
/** Entries of one search: more is a filter that matches too much. */
const mostEntries = 500_000;
/** Result codes (RFC 4511 §4.1.9) that say: you are known, or should be, and may not. */
const refusals = new Set([3, 4, 7, 8, 11, 13, 32, 48, 49, 50, 53]);

export function createLdapSource(config: LdapConfig, log: Log): DirectorySource {
  const [first] = config.servers;
  const scheme = config.tls === 'verify' ? 'ldaps' : 'ldap';
  const name = `${scheme}://${first?.host ?? ''}:${first?.port ?? ''}/${config.base}`;
  return {
    name,
    async read(signal) {
      let failure: unknown;
      for (const server of config.servers) {
        try {
          return await readFrom(config, server, signal);
        } catch (error) {
          failure = error;
          if (signal.aborted) break;
          log.debug(
            { server: `${server.host}:${server.port}`, cause: describeError(error) },
            'a directory server failed',
          );
          // The same account and the same rights everywhere: another server would say the same.
          if (error instanceof DirectoryError && error.kind === 'refused') break;
        }
      }
      throw failure instanceof DirectoryError ? failure : new DirectoryError('down', describeError(failure));
    },
  };
}

type Server = LdapConfig['servers'][number];

async function readFrom(config: LdapConfig, server: Server, signal: AbortSignal): Promise<Reading> {
  const session = openSession(config, server);
  const overtime = AbortSignal.any([signal, AbortSignal.timeout(config.readWithin)]);
  const work = readAll(session, config);
  try {
    return await Promise.race([work, aborted(overtime, signal)]);
  } catch (error) {
    throw asDirectoryError(error, `${server.host}:${server.port}`);
  } finally {
    // Whoever lost the race has nobody to tell.
    work.catch(() => undefined);
    await session.close();
  }
}

function aborted(overtime: AbortSignal, stopped: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const end = () => reject(new Error(stopped.aborted ? 'stopped' : 'reading it takes too long'));
  if (overtime.aborted) end();
  else overtime.addEventListener('abort', end, { once: true });
  promise.catch(() => undefined);
  return promise;
}

interface Session {
  readonly client: Client;
  readonly tls: ConnectionOptions;
  /** A new page may have so many octets again. */
  nextPage(): void;
  close(): Promise<void>;
}

function openSession(config: LdapConfig, { host, port }: Server): Session {
  let socket: Socket | undefined;
  let octets = 0;
  const tls: ConnectionOptions = {
    host,
    ...(isIP(config.serverName ?? host) === 0 ? { servername: config.serverName ?? host } : {}),
    ...(config.ca === null ? {} : { ca: config.ca }),
    ...(config.certificate
      ? { cert: readFileSync(config.certificate.certFile), key: readFileSync(config.certificate.keyFile) }
      : {}),
    minVersion: 'TLSv1.2',
  };
  /** The library would connect anew by itself, in the clear and as nobody, and take what nobody may see for all. */
  const once = <S extends Socket>(made: () => S): S => {
    if (socket) throw new Error('the connection was lost');
    const one = made();
    socket = one;
    one.on('data', (data: Buffer) => {
      octets += data.length;
      if (octets > mostPerPage) one.destroy(new Error(`it sent more than ${mostPerPage} octets at once`));
    });
    return one;
  };
  const url = `${config.tls === 'verify' ? 'ldaps' : 'ldap'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const client = new Client({
    url,
    timeout: config.timeout,
    connectTimeout: config.timeout,
    // DNs are compared and mapped by us; one that is odd is no reason to read nothing.
    strictDN: false,
    ...(config.tls === 'verify'
      ? {
          tlsOptions: tls,
          createSecureConnection: (() => once(() => connectTls({ ...tls, port }))) as typeof connectTls,
        }
      : { createConnection: (() => once(() => connect(port, host))) as typeof connect }),
  });
  return {
    client,
    tls,
    nextPage() {
      octets = 0;
    },
    async close() {
      // An unbind asks for no answer; with a server that hangs the socket is closed all the same.
      if (client.isConnected) client.unbind().catch(() => undefined);
      socket?.destroy();
    },
  };
}

async function readAll(session: Session, config: LdapConfig): Promise<Reading> {
  const { client } = session;
  if (config.tls === 'starttls') await client.startTLS({ ...session.tls });
  if (config.bind === 'external') await client.bind('EXTERNAL');
  else if (config.bind) await client.bind(config.bind.dn, config.bind.password);
  const flaws: Flaw[] = [];
  const { schema: person } = config.people;
  const asked = [...new Set(Object.values(person.attributes).flat())];
  const people: PersonDraft[] = [];
  await search(session, config, { ...config.people, ...person, asked }, flaws, (entry) =>
    people.push(personDraft(entry, person)),
  );
  const groups = new Map<string, GroupDraft>();
  for (const { base, schema } of config.groups) {
    const memberOf = person.attributes.memberOf;
    const asked = [...new Set([...schema.name, ...schema.members, ...memberOf])];
    await search(session, config, { base, filter: schema.filter, asked }, flaws, (entry) => {
      const draft = groupDraft(entry, schema, memberOf);
      // A directory may write one group down in two ways (posixGroup and groupOfNames): then it has the members of both.
      const known = groups.get(draft.key);
      groups.set(draft.key, known ? { ...known, members: [...known.members, ...draft.members] } : draft);
    });
  }
  const built = buildDirectory(people, [...groups.values()]);
  return { directory: built.directory, flaws: [...flaws, ...built.flaws] };
}

async function search(
  session: Session,
  config: LdapConfig,
  wanted: { readonly base: string; readonly filter: string; readonly asked: readonly string[] },
  flaws: Flaw[],
  take: (entry: LdapEntry) => void,
): Promise<void> {
  let count = 0;
  session.nextPage();
  const pages: AsyncIterable<SearchResult> = session.client.searchPaginated(wanted.base, {
    scope: 'sub',
    derefAliases: 'never',
    // The configuration's own text: nothing that was read is ever put into a filter.
    filter: wanted.filter,
    attributes: [...wanted.asked],
    timeLimit: Math.ceil(config.timeout / 1000),
    paged: { pageSize: config.page },
  });
  for await (const { searchEntries, searchReferences } of pages) {
    session.nextPage();
    for (const url of searchReferences) flaws.push({ id: String(url), text: 'is a referral, which is not followed' });
    for (const entry of searchEntries) take(entryOf(entry));
    count += searchEntries.length;
    if (count > mostEntries)
      throw new DirectoryError('refused', `more than ${mostEntries} entries match ${wanted.filter}; narrow the filter`);
  }
}

function entryOf({ dn, ...rest }: Entry): LdapEntry {
  const attributes = new Map<string, readonly string[]>();
  for (const [description, values] of Object.entries(rest)) {
    const texts = [values].flat().filter((value) => typeof value === 'string');
    // RFC 4512 §2.5: `description;lang-de` is a kind of description.
    const type = description.toLowerCase().split(';', 1)[0] ?? '';
    attributes.set(type, [...(attributes.get(type) ?? []), ...texts]);
  }
  return { dn, attributes };
}

function asDirectoryError(error: unknown, server: string): DirectoryError {
  if (error instanceof DirectoryError) return error;
  // The library's messages may span lines and repeat what the code says.
  const text = describeError(error).replace(/\s+/g, ' ').trim().slice(0, 300);
  if (error instanceof ResultCodeError) {
    const kind = refusals.has(error.code) ? 'refused' : 'down';
    return new DirectoryError(kind, `${server} answers: ${text} (${error.constructor.name})`, { cause: error });
  }
  return new DirectoryError('down', `${server}: ${text === '' ? 'the connection failed' : text}`, { cause: error });
}
