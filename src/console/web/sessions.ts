// Who is signed in: sessions in memory, by a cookie that only our own pages send along. A restart signs everybody out.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { type Clock, type Duration, hour } from '../../clock.ts';
import type { Role } from './view.ts';

export interface Session {
  readonly id: string;
  /** Null in the sandbox, where nobody signs in. */
  readonly user: string | null;
  readonly role: Role;
  /** In every form that changes something: another site cannot know it. */
  readonly token: string;
  readonly since: number;
  seenAt: number;
  /** Said once, on the next page. */
  said: { readonly good: boolean; readonly text: string } | null;
}

export const idleLimit: Duration = 8 * hour;
export const longest: Duration = 24 * hour;
const most = 2_000;

export class Sessions {
  readonly #sessions = new Map<string, Session>();
  readonly #clock: Clock;
  readonly #secure: boolean;

  /** @param secure the console is reached by HTTPS */
  constructor(clock: Clock, secure: boolean) {
    this.#clock = clock;
    this.#secure = secure;
  }

  get size(): number {
    return this.#sessions.size;
  }

  begin(user: string | null, role: Role): Session {
    const now = this.#clock.now();
    // The least recently seen makes room: the order of the map is that of being seen.
    for (const [id] of this.#sessions) {
      if (this.#sessions.size < most) break;
      this.#sessions.delete(id);
    }
    const session = { id: secret(), user, role, token: secret(), since: now, seenAt: now, said: null };
    this.#sessions.set(session.id, session);
    return session;
  }

  /** From the Cookie header of a request. */
  find(header: string | undefined): Session | undefined {
    const id = cookieIn(header, this.#name);
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (!session) return undefined;
    const now = this.#clock.now();
    if (now - session.seenAt > idleLimit || now - session.since > longest) {
      this.#sessions.delete(session.id);
      return undefined;
    }
    session.seenAt = now;
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
    return session;
  }

  end(session: Session): void {
    this.#sessions.delete(session.id);
  }

  /** RFC 6265bis §4.1.3.2: the prefix keeps others on the same machine or domain from setting it. */
  get #name(): string {
    return this.#secure ? '__Host-pointsman' : 'pointsman';
  }

  cookie(session: Session | null): string {
    const value = session ? `${session.id}; Max-Age=${longest / 1000}` : '; Max-Age=0';
    return `${this.#name}=${value}; Path=/; HttpOnly; SameSite=Strict${this.#secure ? '; Secure' : ''}`;
  }
}

export function isToken(session: Session, given: unknown): boolean {
  if (typeof given !== 'string') return false;
  const [a, b] = [Buffer.from(given), Buffer.from(session.token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

export function cookieIn(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? '').split(';', 50)) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}

const secret = (): string => randomBytes(32).toString('base64url');
