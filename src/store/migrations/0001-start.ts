// The first schema. CHECKs tie states to their timestamps, so that an impossible state cannot be stored. Only indexes
// that a verb needs: accepting mail is the fast path, and each index is one more tree to write.
// Instants are integers (milliseconds), JSON is text, content is apart so that retiring it is a delete.
import type { Migration } from './migration.ts';

export const start: Migration = {
  number: 1,
  name: 'start',
  breaking: true,
  sql: `
CREATE TABLE messages (
  queue_id TEXT NOT NULL PRIMARY KEY,
  accepted_at INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('mail', 'report')),
  reverse_path TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 0),
  envelope TEXT NOT NULL,
  facts TEXT NOT NULL,
  trace TEXT NOT NULL
) STRICT;

CREATE TABLE message_content (
  queue_id TEXT NOT NULL PRIMARY KEY REFERENCES messages (queue_id),
  content BLOB NOT NULL
) STRICT;

CREATE TABLE deliveries (
  queue_id TEXT NOT NULL REFERENCES messages (queue_id),
  seq INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'held', 'delivered', 'failed', 'dropped', 'dead')),
  group_name TEXT,
  path TEXT NOT NULL,
  plan TEXT NOT NULL,
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  forward_of INTEGER,
  chosen_mailbox TEXT,
  chosen_person TEXT,
  last_reply TEXT,
  last_hop TEXT,
  final_dot_at INTEGER,
  next_attempt_at INTEGER,
  ended_at INTEGER,
  PRIMARY KEY (queue_id, seq),
  FOREIGN KEY (queue_id, forward_of) REFERENCES deliveries (queue_id, seq),
  CHECK ((state IN ('queued', 'held')) = (next_attempt_at IS NOT NULL)),
  CHECK ((state IN ('queued', 'held')) = (ended_at IS NULL)),
  CHECK (state <> 'delivered' OR (attempts > 0 AND last_hop IS NOT NULL)),
  CHECK (state <> 'held' OR group_name IS NOT NULL),
  CHECK (chosen_person IS NULL OR chosen_mailbox IS NOT NULL)
) STRICT;
-- Both are empty for mail that is delivered at the first attempt: what is queued is found through its timer.
CREATE INDEX deliveries_held ON deliveries (group_name) WHERE state = 'held';
CREATE INDEX deliveries_undelivered ON deliveries (queue_id, seq) WHERE state IN ('failed', 'dropped', 'dead');

CREATE TABLE tracked (
  queue_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  short_id TEXT NOT NULL,
  state TEXT NOT NULL
    CHECK (state IN ('waiting', 'held', 'tracked', 'acknowledged', 'answered', 'expired', 'withdrawn')),
  revision INTEGER NOT NULL,
  group_name TEXT NOT NULL,
  plan TEXT NOT NULL,
  owner TEXT,
  owned_since INTEGER,
  step INTEGER NOT NULL CHECK (step >= 0),
  step_taken INTEGER NOT NULL CHECK (step_taken >= 0),
  next_step_at INTEGER,
  tried TEXT NOT NULL,
  accepted_at INTEGER NOT NULL,
  closed_at INTEGER,
  closed_by TEXT,
  message_id TEXT,
  subject TEXT,
  sender TEXT NOT NULL,
  reverse_path TEXT NOT NULL,
  address TEXT NOT NULL,
  PRIMARY KEY (queue_id, seq),
  FOREIGN KEY (queue_id, seq) REFERENCES deliveries (queue_id, seq),
  CHECK (state NOT IN ('waiting', 'held', 'tracked') OR closed_at IS NULL),
  CHECK (state NOT IN ('acknowledged', 'answered', 'withdrawn') OR closed_at IS NOT NULL),
  CHECK (state IN ('waiting', 'held', 'tracked') OR next_step_at IS NULL),
  CHECK ((owner IS NULL) = (owned_since IS NULL))
) STRICT;
CREATE UNIQUE INDEX tracked_short_id_open ON tracked (short_id) WHERE state IN ('waiting', 'held', 'tracked');
CREATE INDEX tracked_short_id ON tracked (short_id);
CREATE INDEX tracked_open ON tracked (owner) WHERE state IN ('waiting', 'held', 'tracked');
CREATE INDEX tracked_accepted_at ON tracked (accepted_at);
CREATE INDEX tracked_message_id ON tracked (message_id) WHERE message_id IS NOT NULL;

CREATE TABLE nudges (
  id TEXT NOT NULL PRIMARY KEY,
  queue_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('nudge', 'notice')),
  recipient_kind TEXT NOT NULL CHECK (recipient_kind IN ('person', 'room')),
  recipient TEXT NOT NULL,
  person TEXT,
  text TEXT NOT NULL,
  step INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  stale_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'withdrawn', 'stale')),
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  sent_at INTEGER,
  FOREIGN KEY (queue_id, seq) REFERENCES deliveries (queue_id, seq),
  CHECK ((state = 'sent') = (sent_at IS NOT NULL)),
  CHECK (recipient_kind = 'person' OR person IS NULL)
) STRICT;
CREATE INDEX nudges_delivery ON nudges (queue_id, seq);

-- The one timer queue. ref is the nudge's id, or empty; seq is 0 for retire, which is about the whole message.
-- Claimable is what is due and not leased, or whose lease has run out: coalesce(lease_until, due_at) <= now.
CREATE TABLE timers (
  kind TEXT NOT NULL CHECK (kind IN ('attempt', 'step', 'nudge', 'retire')),
  queue_id TEXT NOT NULL REFERENCES messages (queue_id),
  seq INTEGER NOT NULL,
  ref TEXT NOT NULL,
  due_at INTEGER NOT NULL,
  lease_until INTEGER,
  PRIMARY KEY (kind, queue_id, seq, ref),
  CHECK ((kind = 'nudge') = (ref <> '')),
  CHECK (kind <> 'retire' OR seq = 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_claimable ON timers (kind, coalesce(lease_until, due_at), queue_id, seq);

CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  queue_id TEXT NOT NULL,
  event TEXT NOT NULL
) STRICT;
CREATE INDEX events_message ON events (queue_id);

CREATE TABLE evidence (
  id INTEGER PRIMARY KEY,
  queue_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  person TEXT,
  grade INTEGER NOT NULL CHECK (grade BETWEEN 0 AND 8),
  source TEXT NOT NULL,
  reference TEXT,
  trusted INTEGER NOT NULL CHECK (trusted IN (0, 1)),
  FOREIGN KEY (queue_id, seq) REFERENCES deliveries (queue_id, seq)
) STRICT;
CREATE INDEX evidence_message ON evidence (queue_id);

CREATE TABLE decisions (
  id TEXT NOT NULL PRIMARY KEY,
  queue_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  why TEXT NOT NULL CHECK (why IN ('dispatch', 'retry', 'escalation')),
  plan TEXT NOT NULL,
  snapshot TEXT NOT NULL,
  choice TEXT NOT NULL,
  FOREIGN KEY (queue_id, seq) REFERENCES deliveries (queue_id, seq)
) STRICT;
CREATE INDEX decisions_message ON decisions (queue_id, at);

CREATE TABLE assignments (
  queue_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  person TEXT NOT NULL,
  group_name TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (queue_id, seq, person),
  FOREIGN KEY (queue_id, seq) REFERENCES deliveries (queue_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE presence_changes (
  id INTEGER PRIMARY KEY,
  jid TEXT NOT NULL,
  at INTEGER NOT NULL,
  before TEXT NOT NULL,
  presence TEXT NOT NULL
) STRICT;
CREATE INDEX presence_changes_at ON presence_changes (at);
CREATE INDEX presence_changes_jid ON presence_changes (jid, at);

-- How many deliveries, tracked and nudges are in each state; kept in the transactions that change them.
CREATE TABLE counters (
  name TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE memories (
  key TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`,
};
