// What happens inside the server, for tests and for the sandbox: they await an event instead of sleeping.
import type { Element } from './xml.ts';

export type ServerEvent =
  /** A TCP connection was accepted. */
  | { readonly kind: 'connected'; readonly connection: number }
  | { readonly kind: 'disconnected'; readonly connection: number; readonly jid: string | undefined }
  | { readonly kind: 'auth-failed'; readonly connection: number; readonly condition: string }
  /** We ended a stream with this error. RFC 6120 §4.9. */
  | {
      readonly kind: 'stream-error';
      readonly connection: number;
      readonly condition: string;
      readonly jid: string | undefined;
    }
  /** A new session: a resource was bound. */
  | { readonly kind: 'session'; readonly jid: string }
  /** Stream management is on for it, from now on. */
  | { readonly kind: 'managed'; readonly jid: string; readonly resumable: boolean }
  /** The connection is gone, the session waits to be resumed. */
  | { readonly kind: 'detached'; readonly jid: string }
  | { readonly kind: 'resumed'; readonly jid: string }
  | { readonly kind: 'ended'; readonly jid: string }
  /** `in`: a client sent it; `out`: it is being sent to the client `jid`. */
  | { readonly kind: 'stanza'; readonly direction: 'in' | 'out'; readonly jid: string; readonly stanza: Element };

type Kind = ServerEvent['kind'];
type Of<K extends Kind> = Extract<ServerEvent, { kind: K }>;

export class Events {
  readonly #listeners = new Set<(event: ServerEvent) => void>();

  emit(event: ServerEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  /** Returns how to stop listening. */
  on(listener: (event: ServerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The next event of this kind that fits. Only events from now on: ask before you act. Rejects when `signal` aborts. */
  until<K extends Kind>(kind: K, fits: (event: Of<K>) => boolean = () => true, signal?: AbortSignal): Promise<Of<K>> {
    return new Promise((resolve, reject) => {
      const stop = this.on((event) => {
        if (event.kind !== kind || !fits(event as Of<K>)) return;
        stop();
        resolve(event as Of<K>);
      });
      signal?.addEventListener('abort', () => {
        stop();
        reject(signal.reason);
      });
    });
  }
}
