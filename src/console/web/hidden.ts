// What of a group's mail those see who may only look: where the rules keep the subject or the sender "for operators", a
// viewer is none. Operators and admins see what is on record.
import type { Clock, Duration, Instant } from '../../clock.ts';
import { second } from '../../clock.ts';
import type { Role } from '../../config/users.ts';
import type { GroupView, Operations } from '../../operations.ts';

export interface Hidden {
  readonly subject: boolean;
  readonly sender: boolean;
}

/** @param group its name, or one of its addresses */
export type Hides = (group: string) => Hidden;

const nothing: Hidden = { subject: false, sender: false };
/** Of a group that the rules do not know any more: nobody can say what was wished for its mail. */
const all: Hidden = { subject: true, sender: true };
export const hidesNothing: Hides = () => nothing;

/** The rules may change under a page; they are not looked up for each of its lines. */
const rulesLast: Duration = second;

export function hider(operations: Pick<Operations, 'groups'>, clock: Clock): (role: Role) => Hides {
  let known: ReadonlyMap<string, Hidden> = new Map();
  let at: Instant = Number.NEGATIVE_INFINITY;
  const hides: Hides = (group) => {
    const now = clock.now();
    if (now - at >= rulesLast || now < at) {
      known = new Map(operations.groups().flatMap(hiddenOf));
      at = now;
    }
    return known.get(group.toLowerCase()) ?? (group.includes('@') ? nothing : all);
  };
  return (role) => (role === 'viewer' ? hides : hidesNothing);
}

function hiddenOf({ name, addresses, privacy }: GroupView): readonly (readonly [string, Hidden])[] {
  const hidden = privacy ? { subject: privacy.subject !== 'shown', sender: privacy.sender !== 'shown' } : nothing;
  return [name, ...addresses].map((one) => [one.toLowerCase(), hidden] as const);
}

/** Of several groups that one mail is for, the strictest. */
export function hiddenOfAll(hides: Hides, groups: readonly string[]): Hidden {
  const each = groups.map(hides);
  return { subject: each.some(({ subject }) => subject), sender: each.some(({ sender }) => sender) };
}
