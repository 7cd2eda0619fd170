// What the machine knows of itself, looked at now and then: the disk, the rules, the certificates that are named.
import { X509Certificate } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import type { Clock, Instant } from './clock.ts';
import { day } from './clock.ts';
import { describeError } from './mail/error.ts';
import { thresholds } from './notify/faults.ts';
import type { Finding } from './relay/parts.ts';
import type { RuleBook } from './rule-book.ts';

export interface Surroundings {
  readonly state: string;
  /** PEM of the authorities trusted for the XMPP link. */
  readonly ca: string | null;
  /** Ours, for STARTTLS; null: there is none. */
  readonly certificate?: { ending(): string | null; rejected(): string | null } | null;
  /** Null or absent: none is read. */
  readonly directory?: { findings(): readonly Finding[] } | null;
  readonly rules: Pick<RuleBook, 'rejected' | 'problems'>;
  readonly clock: Clock;
  readonly diskOf?: (folder: string) => Promise<{ readonly bavail: number; readonly blocks: number }>;
}

export function createProbe(surroundings: Surroundings): () => Promise<readonly Finding[]> {
  const { state, ca, certificate, rules, clock, diskOf = (folder) => statfs(folder) } = surroundings;
  return async () => {
    const errors = rules.problems().filter(({ severity }) => severity === 'error');
    const [first] = errors;
    const where = first ? ` ${first.place.file}:${first.place.line}: ${first.message}` : '';
    return [
      await disk(state, diskOf),
      {
        kind: 'rules-rejected',
        subject: 'rules',
        wrong: rules.rejected()
          ? `The newest rules are not in force, ${errors.length} ${errors.length === 1 ? 'error' : 'errors'}:${where}`
          : null,
      },
      ...(certificate
        ? ([
            { kind: 'certificate-expiring', subject: 'tls.certFile', wrong: certificate.ending() },
            { kind: 'certificate-rejected', subject: 'tls.certFile', wrong: certificate.rejected() },
          ] as const)
        : []),
      ...(surroundings.directory?.findings() ?? []),
      ...(ca === null ? [] : certificates('xmpp.caFile', ca, clock.now())),
    ];
  };
}

async function disk(folder: string, diskOf: NonNullable<Surroundings['diskOf']>): Promise<Finding> {
  const found = { kind: 'disk-low', subject: 'state' } as const;
  try {
    const { bavail, blocks } = await diskOf(folder);
    const free = blocks === 0 ? 1 : bavail / blocks;
    if (free >= thresholds.diskFree) return { ...found, wrong: null };
    return { ...found, wrong: `${(free * 100).toFixed(1)} % of the disk under the state folder is free.` };
  } catch (error) {
    return { ...found, wrong: `The disk under the state folder cannot be looked at: ${describeError(error)}` };
  }
}

/** Each certificate of a PEM file, by the name it was issued to. */
export function certificates(name: string, pem: string, now: Instant): readonly Finding[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block, index) => {
    const found = { kind: 'certificate-expiring', subject: `${name} ${index + 1}` } as const;
    try {
      const certificate = new X509Certificate(block);
      const until = Date.parse(certificate.validTo);
      const days = Math.floor((until - now) / day);
      if (days >= thresholds.certificateDays) return { ...found, wrong: null };
      const when = days < 0 ? 'has ended' : `ends in ${days} days`;
      return { ...found, wrong: `The certificate of ${certificate.subject.replace(/\n/g, ', ')} in ${name} ${when}.` };
    } catch (error) {
      return { ...found, wrong: `A certificate in ${name} cannot be read: ${describeError(error)}` };
    }
  });
}
