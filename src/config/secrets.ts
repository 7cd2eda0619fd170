// What the configuration names and other files hold: passwords and certificates.
import { resolve } from 'node:path';
import { quote, type Report } from '../routing/problem.ts';
import type { Place } from '../routing/rules.ts';
import type { Located } from '../routing/schema.ts';

/** Where a secret is: in a file (absolute path), or a systemd credential of that name. */
export type SecretSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'credential'; readonly name: string };

/** Text, or a sentence saying why there is none: `cannot be read: …`. */
export type Fetched = { readonly value: string } | { readonly wrong: string };

export interface ConfigSurroundings {
  /** How problems call the file. */
  readonly file: string;
  /** Relative paths start here: the absolute path of the file's folder. */
  readonly folder: string;
  readonly readSecret: (source: SecretSource) => Fetched;
  /** For certificates. */
  readonly readFile: (path: string) => Fetched;
}

interface SecretEntry {
  readonly passwordFile?: Located<string> | undefined;
  readonly passwordCredential?: Located<string> | undefined;
  readonly place: Place;
}

export function certificatesIn(
  { value, place }: Located<string>,
  { folder, readFile }: ConfigSurroundings,
  report: Report,
): string | null {
  const found = readFile(resolve(folder, value));
  if ('wrong' in found) report.error(place, `${quote(value)} ${found.wrong}`);
  else if (!found.value.includes('-----BEGIN CERTIFICATE-----'))
    report.error(place, `${quote(value)} holds no certificate in PEM form`);
  else return found.value;
  return null;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Whether the files can be read; whether they go together is seen where they are used. */
export function tlsOf(
  entry: { readonly certFile: Located<string> | undefined; readonly keyFile: Located<string> | undefined } | undefined,
  surroundings: ConfigSurroundings,
  report: Report,
): { readonly tls?: TlsFiles } {
  const { certFile, keyFile } = entry ?? {};
  if (!certFile || !keyFile) return {};
  certificatesIn(certFile, surroundings, report);
  const path = resolve(surroundings.folder, keyFile.value);
  const key = surroundings.readSecret({ kind: 'file', path });
  if ('wrong' in key) report.error(keyFile.place, `${quote(keyFile.value)} ${key.wrong}`);
  else if (!/-----BEGIN (?!ENCRYPTED )(?:[A-Z]+ )?PRIVATE KEY-----/.test(key.value))
    report.error(keyFile.place, `${quote(keyFile.value)} holds no private key in PEM form without a password`);
  return { tls: { certFile: resolve(surroundings.folder, certFile.value), keyFile: path } };
}

export function passwordOf(
  entry: SecretEntry & { readonly given: readonly string[] },
  { folder, readSecret }: ConfigSurroundings,
  report: Report,
  what: string,
): string | undefined {
  const ways = ['passwordFile', 'passwordCredential'].filter((key) => entry.given.includes(key));
  if (ways.length !== 1) {
    const found = ways.length === 0 ? 'neither' : 'both';
    if (!entry.given.includes('password') || ways.length > 1)
      report.error(entry.place, `${what} has exactly one of passwordFile, passwordCredential; here is ${found}`);
    return undefined;
  }
  // What was given and is wrong has been reported where it stands.
  if (!entry.passwordFile && !entry.passwordCredential) return undefined;
  return secretOf(entry, { folder, readSecret }, report);
}

/** The one line that the file or the credential holds. */
export function secretOf(
  { passwordFile, passwordCredential, place }: SecretEntry,
  { folder, readSecret }: Pick<ConfigSurroundings, 'folder' | 'readSecret'>,
  report: Report,
): string | undefined {
  const said: Located<string> | undefined = passwordFile ?? passwordCredential;
  if (said === undefined) report.error(place, 'a user needs passwordFile or passwordCredential');
  if (said === undefined) return undefined;
  const source: SecretSource = passwordFile
    ? { kind: 'file', path: resolve(folder, passwordFile.value) }
    : { kind: 'credential', name: said.value };
  const found = readSecret(source);
  if ('wrong' in found) {
    report.error(said.place, `${quote(said.value)} ${found.wrong}`);
    return undefined;
  }
  // The line end that an editor adds is not part of the password.
  const password = found.value.replace(/\r?\n$/, '');
  if (password !== '' && !/[\r\n\0]/.test(password)) return password;
  report.error(
    said.place,
    `${quote(said.value)} ${password === '' ? 'holds nothing' : 'holds more than one line'}; it must hold the password alone`,
  );
  return undefined;
}
