// What holds when pointsman.yaml says nothing.
import { type Duration, day, hour, minute, second } from '../clock.ts';
import { dampingTimes } from '../presence/damping.ts';

export const defaults = {
  listen: { host: '127.0.0.1', port: 2525 },
  http: { host: '127.0.0.1', port: 8025 },
  size: 50_000_000,
  // RFC 5321 §4.5.4.1: give up after at least 4 to 5 days.
  presence: { ...dampingTimes, keep: 30 * day },
  queue: {
    lifetime: 5 * day,
    firstRetry: 5 * minute,
    longestRetry: 4 * hour,
    keepContent: 7 * day,
    keepHistory: 30 * day,
    reportLifetime: 2 * day,
    delayNotice: (4 * hour) as Duration | null,
    onReload: 'finish' as 'finish' | 'replan',
  },
  limits: { waiting: 1_000_000, freeSpace: 100_000_000 },
  maxConnections: 10,
  milter: { onFailure: 'tempfail' },
  // As long as Postfix may ask several times for one message.
  steady: 5 * second,
  imapConnections: 20,
  resource: 'pointsman',
  nick: 'Pointsman',
  // Prosody's mod_limits lets a client without a table of its own send 3,000 octets a second.
  rate: 2_000,
} as const;
