// Faults as they are kept: one open item for each thing that is wrong, with an owner, until its cause is gone.
import type { Instant } from '../clock.ts';
import type { PersonName } from '../routing/rules.ts';

export interface NewFault {
  /** An id of the catalogue (notify/faults.ts). */
  readonly kind: string;
  readonly subject: string;
  readonly severity: 'critical' | 'fatal' | 'error' | 'warning';
  readonly text: string;
  readonly at: Instant;
}

export interface Fault extends Omit<NewFault, 'at'> {
  readonly number: number; // For people it is `f3`.
  readonly openedAt: Instant;
  readonly lastAt: Instant;
  readonly count: number;
  readonly owner: PersonName | null;
  readonly ownedSince: Instant | null;
  readonly clearedAt: Instant | null;
  /** Null when it cleared by itself. */
  readonly clearedBy: PersonName | null;
  /** Counts what people are told of: opened, owned, free again, cleared. */
  readonly revision: number;
  /** The revision that the operators were told of last; 0: of none. */
  readonly announced: number;
}
