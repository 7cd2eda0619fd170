// What operators and reports need: who keeps a delivery on hold, when its sender was told of the delay, and a way to
// the deliveries that wait for one next hop. The index is empty for mail that is delivered at the first attempt.
// Breaking: an older program would take a delivery on hold for one that is merely due late, and wake it.
import type { Migration } from './migration.ts';

export const operator: Migration = {
  number: 2,
  name: 'operator',
  breaking: true,
  sql: `
ALTER TABLE deliveries ADD COLUMN on_hold_by TEXT;
ALTER TABLE deliveries ADD COLUMN delay_told_at INTEGER;
ALTER TABLE deliveries ADD COLUMN waits_for TEXT;
CREATE INDEX deliveries_waiting ON deliveries (waits_for, queue_id, seq) WHERE waits_for IS NOT NULL;
`,
};
