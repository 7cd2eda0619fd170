// From a request to who looks at what: session, language, zone.
import type { Context, HonoRequest } from 'hono';
import { isZone } from '../../zone.ts';
import { type Frame, frame } from './layout.ts';
import { cookieIn, type Session } from './sessions.ts';
import { type Html, tokenPlace, type View } from './view.ts';
import { languageFrom, languages, wordsOf } from './words.ts';

export type Env = {
  Variables: { view: View; session: Session | null; form: FormData };
};
export type PageContext = Context<Env>;

/** Until the page's script has told the viewer's zone: the zone that is nobody's, and says so. */
const noZone = 'UTC';

export function viewOf(request: HonoRequest, rest: Pick<View, 'role' | 'hides' | 'now' | 'sandbox' | 'pace'>): View {
  const cookies = request.header('cookie');
  const chosen = cookieIn(cookies, 'language');
  const language = languages.find((one) => one === chosen) ?? languageFrom(request.header('accept-language'));
  const zone = decoded(cookieIn(cookies, 'zone'));
  return { t: wordsOf(language), language, zone: zone !== undefined && isZone(zone) ? zone : noZone, ...rest };
}

function decoded(text: string | undefined): string | undefined {
  if (text === undefined || text.length > 100) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    // A cookie that somebody has made up: as if there were none.
    return undefined;
  }
}

/** What two viewers must have in common to share a rendering. */
export const viewKey = ({ language, zone, role }: View): string => `${language} ${zone} ${role}`;

export function withToken(session: Session | null): (text: string) => string {
  return (text) => text.replaceAll(tokenPlace, session?.token ?? '');
}

/** A page in its frame, with what is the viewer's own put in. */
export async function frameOf(c: PageContext, page: Omit<Frame, 'view' | 'user' | 'said'>): Promise<string> {
  const { view, session } = c.var;
  const said = session?.said ?? undefined;
  if (session) session.said = null;
  const whole: Html = frame({ ...page, view, user: session?.user ?? null, ...(said ? { said } : {}) });
  return withToken(session)((await whole).toString());
}

/** Who does it, for the record. */
export const actor = (session: Session | null): string => `console:${session?.user ?? 'sandbox'}`;

/** A field of a form, on one line; undefined when it is not there, or not as it should be. */
export function field(form: FormData, name: string, longest = 200): string | undefined {
  const value = form.get(name);
  if (typeof value !== 'string' || value === '' || value.length > longest || /\p{Cc}/u.test(value)) return undefined;
  return value;
}
