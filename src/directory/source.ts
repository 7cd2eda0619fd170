// Port: where people and groups are read from. Each reading is a whole; what became of the last one is remembered by
// whoever asks (directory-book.ts).
import type { Reading } from './directory.ts';

export interface DirectorySource {
  /** For people: `ldaps://ldap.example.org`, without anything secret. */
  readonly name: string;
  /**
   * Everything, anew. Ends within the source's own time limits, or when the signal aborts.
   * @throws DirectoryError
   */
  read(signal: AbortSignal): Promise<Reading>;
}

/** refused: it is there, but does not let us in, or does not let us see. */
export class DirectoryError extends Error {
  override readonly name = 'DirectoryError';
  readonly kind: 'down' | 'refused';

  constructor(kind: 'down' | 'refused', message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}
