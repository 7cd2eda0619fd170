// Mail that passes through is one row from acceptance to delivery, and one more for the record: `passing` is on its way
// out (released at the next start after a crash), `passed` was delivered at the first attempt, without its content.
// Each commit then writes a third of the pages that a row in every table would. The views show what has passed as the
// other tables have it.
// Breaking: an older program would neither send what is passing nor find what has passed.
import type { Migration } from './migration.ts';

export const passing: Migration = {
  number: 6,
  name: 'passing',
  breaking: true,
  sql: `
-- record: what is accepted, but for the content, as JSON.
CREATE TABLE passing (
  id INTEGER PRIMARY KEY,
  queue_id TEXT NOT NULL,
  record TEXT NOT NULL,
  content BLOB NOT NULL
) STRICT;

-- outcome: {"deliveries": [[seq, at, reply, next hop], …], "events": […]}
CREATE TABLE passed (
  queue_id TEXT NOT NULL PRIMARY KEY,
  accepted_at INTEGER NOT NULL,
  reverse_path TEXT NOT NULL,
  size INTEGER NOT NULL,
  record TEXT NOT NULL,
  outcome TEXT NOT NULL
) STRICT;

CREATE VIEW passed_messages AS
SELECT queue_id, accepted_at, 'mail' AS kind, reverse_path, size, record -> '$.message.envelope' AS envelope,
  record -> '$.message.facts' AS facts, record ->> '$.message.trace' AS trace
FROM passed;

CREATE VIEW passed_deliveries AS
SELECT p.queue_id, d.value ->> '$.seq' AS seq, 'delivered' AS state, NULL AS group_name, d.value -> '$.path' AS path,
  d.value -> '$.plan' AS plan, 1 AS attempts, NULL AS forward_of, NULL AS chosen_mailbox, NULL AS chosen_person,
  o.value ->> '$[2]' AS last_reply, o.value ->> '$[3]' AS last_hop, d.value ->> '$.finalDotAt' AS final_dot_at,
  NULL AS next_attempt_at, o.value ->> '$[1]' AS ended_at, NULL AS on_hold_by, NULL AS delay_told_at, NULL AS waits_for
FROM passed p, json_each(p.record, '$.deliveries') d, json_each(p.outcome, '$.deliveries') o
WHERE o.value ->> '$[0]' = d.value ->> '$.seq';
`,
};
