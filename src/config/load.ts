// Reading pointsman.yaml and what it names from the disk, and the state folder. The one place that looks at file modes,
// owners and $CREDENTIALS_DIRECTORY.
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Fetched, type ParsedConfig, parseConfig, type SecretSource } from '../config.ts';
import { describeError } from '../mail/error.ts';
import type { Problem } from '../routing/rules.ts';
import { maxFileSize } from '../routing/yaml.ts';
import type { TlsFiles } from './secrets.ts';

export function loadConfig(
  path: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ParsedConfig {
  const read = readTextFile(path);
  if ('wrong' in read) return { problems: [problemOf(path, read.wrong)] };
  return parseConfig(read.value, {
    file: path,
    folder: dirname(resolve(path)),
    readSecret: (source) => readSecret(source, environment),
    readFile: (file) => readTextFile(file),
  });
}

/** A password file must be nobody else's to read: mode 0600 or 0400. systemd sees to its credentials itself. */
export function readSecret(
  source: SecretSource,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Fetched {
  if (source.kind === 'file') return readTextFile(source.path, 0o077);
  const folder = environment.CREDENTIALS_DIRECTORY;
  if (!folder)
    return { wrong: 'is a systemd credential, but $CREDENTIALS_DIRECTORY is not set: the unit needs LoadCredential=' };
  return readTextFile(join(folder, source.name));
}

/** Of the certificate that STARTTLS shows; the key must be nobody else's to read. */
export function readTlsFiles({ certFile, keyFile }: TlsFiles): { cert: string; key: string } | { wrong: string } {
  const cert = readTextFile(certFile);
  if ('wrong' in cert) return { wrong: `${certFile} ${cert.wrong}` };
  const key = readTextFile(keyFile, 0o077);
  return 'wrong' in key ? { wrong: `${keyFile} ${key.wrong}` } : { cert: cert.value, key: key.value };
}

/**
 * The state folder holds other people's mail: it must be ours, of mode 0700, and no symbolic link. Made when it is not
 * there. Undefined when all is well.
 */
export function checkStateFolder(path: string): Problem | undefined {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const found = lstatSync(path);
    if (!found.isDirectory())
      return problemOf(path, 'the state folder is not a folder (nor may it be a symbolic link)');
    const us = process.getuid?.();
    if (us !== undefined && found.uid !== us)
      return problemOf(path, `the state folder belongs to user ${found.uid}, but we run as user ${us}`);
    if ((found.mode & 0o077) === 0) return undefined;
    return problemOf(
      path,
      `the state folder has mode ${octal(found.mode)}, so others may look into it; make it 0700: chmod 700`,
    );
  } catch (error) {
    return problemOf(path, `the state folder cannot be used: ${describeError(error)}`);
  }
}

function readTextFile(path: string, forbidden = 0): Fetched {
  let file: number | undefined;
  try {
    // What is looked at is what is read; a named pipe must not keep us waiting.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = fstatSync(file);
    if (!found.isFile()) return { wrong: 'is not a file' };
    if ((found.mode & forbidden) !== 0)
      return { wrong: `has mode ${octal(found.mode)}, so others may read it; make it 0600: chmod 600` };
    if (found.size > maxFileSize) return { wrong: `is larger than ${maxFileSize} octets, the most a file may have` };
    return { value: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file)) };
  } catch (error) {
    return { wrong: `cannot be read: ${error instanceof TypeError ? 'it is not UTF-8' : describeError(error)}` };
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0');

function problemOf(file: string, message: string): Problem {
  return Object.freeze({ severity: 'error', place: Object.freeze({ file, line: 1, column: 1 }), message });
}
