// The certificate that STARTTLS shows: two files that somebody else renews. They are read again every minute and when an
// admin says so, and what is good takes effect with the next connection; what is not leaves the last good one in use.
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type Clock, day, formatDuration, type Instant, minute } from '../clock.ts';
import type { Log } from '../log.ts';
import { describeError } from '../mail/error.ts';

/** PEM: the certificate with what vouches for it, and its key; or what is wrong with the files. */
export type Pair = { readonly cert: string; readonly key: string } | { readonly wrong: string };

export interface Certificate {
  /** For the next connection. */
  context(): SecureContext;
  readonly expiresAt: Instant;
  /** That it ends soon, or has ended; null: it does not. */
  ending(): string | null;
  /** What is wrong with the files on disk, so that they are not in use; null: they are. */
  rejected(): string | null;
  /** Either; null: all is well. */
  problem(): string | null;
  /** Reads the files; answers what is wrong with them, and null when they are in use. */
  renew(): string | null;
  /** Reads them every minute, until the signal. */
  watch(signal: AbortSignal): Promise<void>;
}

const lookEvery = minute;
/** Whoever renews by itself does so a month before the end: what is left then is a renewal that does not work. */
const warnBefore = 21 * day;

interface InUse {
  readonly cert: string;
  readonly key: string;
  readonly context: SecureContext;
  readonly expiresAt: Instant;
}

/** @throws Error in words for the admin: there is no last good one yet. */
export function openCertificate(read: () => Pair, { clock, log }: { clock: Clock; log: Log }): Certificate {
  let inUse = load(read());
  /** Of the files as they were read last. */
  let wrong: string | null = null;
  if (clock.now() >= inUse.expiresAt) log.error({ expired: shown(inUse.expiresAt) }, 'our certificate has expired');

  function renew(): string | null {
    const before = wrong;
    try {
      const pair = read();
      wrong = null;
      if ('cert' in pair && pair.cert === inUse.cert && pair.key === inUse.key) return null;
      const next = load(pair);
      // A renewal that went wrong must not take away what still counts.
      if (clock.now() >= next.expiresAt && inUse.expiresAt > next.expiresAt)
        throw new Error(`it has expired, on ${shown(next.expiresAt)}`);
      inUse = next;
      log.info({ until: shown(next.expiresAt) }, 'a new certificate is in use');
    } catch (error) {
      wrong = describeError(error);
      // Once: it is read again every minute.
      if (wrong !== before) log.error({ wrong }, 'the new certificate cannot be used; the last good one stays in use');
    }
    return wrong;
  }

  const rejected = (): string | null => (wrong === null ? null : `the certificate on disk is not in use: ${wrong}`);
  function ending(): string | null {
    const left = inUse.expiresAt - clock.now();
    if (left <= 0) return `our certificate expired on ${shown(inUse.expiresAt)}`;
    return left < warnBefore ? `our certificate expires in ${formatDuration(left)}` : null;
  }

  return {
    context: () => inUse.context,
    get expiresAt() {
      return inUse.expiresAt;
    },
    ending,
    rejected,
    problem: () => rejected() ?? ending(),
    renew,
    async watch(signal) {
      for (;;) {
        await clock.sleepUntil(clock.now() + lookEvery, signal);
        if (signal.aborted) return;
        renew();
      }
    },
  };
}

/** @throws Error saying what is wrong */
function load(pair: Pair): InUse {
  if ('wrong' in pair) throw new Error(pair.wrong);
  const { cert, key } = pair;
  const leaf = attempt('the certificate cannot be read', () => new X509Certificate(cert));
  // RFC 8996: TLS 1.0 and 1.1 are not to be used, whatever Node was started with.
  const context = attempt('certificate and key do not go together', () =>
    createSecureContext({ cert, key, minVersion: 'TLSv1.2', honorCipherOrder: true }),
  );
  return { cert, key, context, expiresAt: Date.parse(leaf.validTo) };
}

function attempt<T>(otherwise: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new Error(`${otherwise}: ${describeError(error)}`);
  }
}

const shown = (at: Instant): string => new Date(at).toISOString().slice(0, 10);
