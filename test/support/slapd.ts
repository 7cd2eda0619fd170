// An OpenLDAP server of the test's own: in a temp folder, on a free loopback port, StartTLS by an authority made for the
// test, one suffix dc=example,dc=org. Entries are loaded offline by slapadd, changed later by ldapmodify.
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCertificates, makeClientCertificate } from './certificate.ts';
import { Child, run } from './child.ts';
import { freePorts, untilListening } from './free-port.ts';
import { programPath } from './peers.ts';
import { type TempFolder, tempFolder } from './temp-folder.ts';

export const suffix = 'dc=example,dc=org';
export const manager = { dn: `cn=manager,${suffix}`, password: 'manager-1' };
export const reader = { dn: `cn=pointsman,${suffix}`, password: 'reader-2' };

export interface SlapdOptions {
  /** LDIF after the suffix, its ous and the reader. */
  readonly ldif: string;
  /** The most entries one answer may have; with paging there may be so many of them in all, or any number. */
  readonly sizeLimit?: number;
  readonly total?: number;
  /** Keeps `memberOf` of people, as Active Directory does. */
  readonly memberOf?: boolean;
  /** Knows people by certificates of its authority, and asks everybody over TLS for one: CN=pointsman is the reader. */
  readonly external?: boolean;
}

export class Slapd implements AsyncDisposable {
  readonly port: number;
  /** With TLS from the first octet. */
  readonly securePort: number;
  readonly #folder: TempFolder;
  #server: Child | undefined;

  private constructor([port, securePort]: readonly [number, number], folder: TempFolder) {
    this.port = port;
    this.securePort = securePort;
    this.#folder = folder;
  }

  static async start(options: SlapdOptions): Promise<Slapd> {
    const folder = await tempFolder('slapd');
    const slapd = new Slapd((await freePorts(2)) as [number, number], folder);
    try {
      await slapd.#configure(options);
      await slapd.start();
    } catch (error) {
      await slapd[Symbol.asyncDispose]();
      throw error;
    }
    return slapd;
  }

  get caFile(): string {
    return join(this.#folder.path, 'ca.crt');
  }

  /** A certificate by its authority, for whoever is called so. */
  async certificateFor(name: string): Promise<{ readonly certFile: string; readonly keyFile: string }> {
    await makeClientCertificate(this.#folder.path, name);
    const at = (file: string) => join(this.#folder.path, file);
    return { certFile: at(`${name}.crt`), keyFile: at(`${name}.key`) };
  }

  async #configure({ ldif, sizeLimit, total, memberOf = false, external = false }: SlapdOptions): Promise<void> {
    const at = (name: string) => join(this.#folder.path, name);
    await makeCertificates(this.#folder.path, 'ldap.example.org', ['localhost']);
    await mkdir(at('data'));
    const configuration = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/misc.schema
modulepath /usr/lib/ldap
moduleload back_mdb
${memberOf ? 'moduleload memberof\n' : ''}pidfile ${at('pid')}
TLSCACertificateFile ${at('ca.crt')}
TLSCertificateFile ${at('server.crt')}
TLSCertificateKeyFile ${at('server.key')}
${external ? `TLSVerifyClient demand\nauthz-regexp "^cn=pointsman$" "${reader.dn}"\n` : ''}disallow bind_anon
database mdb
suffix "${suffix}"
rootdn "${manager.dn}"
rootpw ${manager.password}
directory ${at('data')}
maxsize 104857600
dbnosync
index objectClass eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="${reader.dn}" read by * none
${sizeLimit === undefined ? '' : `limits dn.exact="${reader.dn}" size.soft=${sizeLimit} size.hard=${sizeLimit} size.prtotal=${total ?? 'unlimited'}\n`}${memberOf ? 'overlay memberof\n' : ''}`;
    await writeFile(at('slapd.conf'), configuration);
    const ous = ['people', 'groups', 'aliases'].map(
      (ou) => `dn: ou=${ou},${suffix}\nobjectClass: organizationalUnit\nou: ${ou}\n\n`,
    );
    const base = `dn: ${suffix}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n${ous.join('')}dn: ${reader.dn}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: pointsman\nuserPassword: ${reader.password}\n\n`;
    await writeFile(at('data.ldif'), base + ldif);
    await run([programPath('slapd') ?? 'slapd', '-T', 'add', '-q', '-f', at('slapd.conf'), '-l', at('data.ldif')]);
    await chmod(at('data'), 0o700);
  }

  /** After stop() or kill9(): with what was in it. */
  async start(): Promise<void> {
    const conf = join(this.#folder.path, 'slapd.conf');
    // Debug level 0 keeps it in the foreground.
    const slapd = new Child('slapd', [
      programPath('slapd') ?? 'slapd',
      ...['-h', `ldap://127.0.0.1:${this.port}/ ldaps://127.0.0.1:${this.securePort}/`, '-f', conf, '-d', '0'],
    ]);
    this.#server = slapd;
    await untilListening(this.port, { within: 20_000, signal: slapd.gone });
  }

  async kill9(): Promise<void> {
    await this.#server?.stop('SIGKILL');
  }

  /** Alive, but it answers nothing. */
  freeze(): void {
    this.#server?.signal('SIGSTOP');
  }

  thaw(): void {
    this.#server?.signal('SIGCONT');
  }

  /** LDIF with changetype lines. */
  async modify(ldif: string): Promise<void> {
    const file = join(this.#folder.path, 'change.ldif');
    await writeFile(file, ldif);
    const url = `ldap://127.0.0.1:${this.port}/`;
    await run(['ldapmodify', '-x', '-H', url, '-D', manager.dn, '-w', manager.password, '-f', file]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.stop();
    await this.#folder.remove();
  }
}

/** An inetOrgPerson; `more` are lines of LDIF. */
export const personLdif = (uid: string, mail: string | null, more = ''): string =>
  `dn: uid=${uid},ou=people,${suffix}\nobjectClass: inetOrgPerson\nuid: ${uid}\ncn: ${uid}\nsn: ${uid}\n${mail === null ? '' : `mail: ${mail}\n`}${more}\n`;

export const groupLdif = (cn: string, ...uids: readonly string[]): string =>
  `dn: cn=${cn},ou=groups,${suffix}\nobjectClass: groupOfNames\ncn: ${cn}\n${uids.map((uid) => `member: uid=${uid},ou=people,${suffix}\n`).join('')}\n`;
