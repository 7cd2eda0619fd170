// The schema's history: forward only, never edited once released. A breaking migration is one that an older program
// could not live with (it would write wrong data); the others only add what an older program does not miss.

export interface Migration {
  /** 1, 2, 3 … without gaps. */
  readonly number: number;
  readonly name: string;
  readonly breaking: boolean;
  readonly sql: string;
}

/** What is to be done to a store in which `applied` have been done. */
export type MigrationPlan =
  | { readonly kind: 'apply'; readonly todo: readonly Migration[]; readonly newer: readonly string[] }
  | { readonly kind: 'refuse'; readonly message: string };

export function planMigrations(
  known: readonly Migration[],
  applied: readonly Pick<Migration, 'number' | 'name' | 'breaking'>[],
): MigrationPlan {
  const latest = known.at(-1)?.number ?? 0;
  const newer = applied.filter((one) => one.number > latest);
  const breaking = newer.filter((one) => one.breaking).map((one) => `${one.number} (${one.name})`);
  if (breaking.length > 0) {
    return {
      kind: 'refuse',
      message:
        `the store has been written by a newer Pointsman: this one knows migrations up to ${latest}, ` +
        `the store has the breaking ${breaking.join(', ')}. Start the newer version, or restore a backup from before`,
    };
  }
  for (const one of applied) {
    const ours = known[one.number - 1];
    if (ours !== undefined && ours.name !== one.name) {
      return {
        kind: 'refuse',
        message: `the store says migration ${one.number} is ${JSON.stringify(one.name)}, but it is ${JSON.stringify(ours.name)} here: not a store of this program`,
      };
    }
  }
  const done = new Set(applied.map((one) => one.number));
  return {
    kind: 'apply',
    todo: known.filter((one) => !done.has(one.number)),
    newer: newer.map((one) => `${one.number} (${one.name})`),
  };
}
