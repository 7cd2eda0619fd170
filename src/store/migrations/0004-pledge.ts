// What an owner has said that lets the steps wait: a promise, or an acknowledgement that does not last for ever.
import type { Migration } from './migration.ts';

export const pledge: Migration = {
  number: 4,
  name: 'pledge',
  // A program that knows nothing of it takes the next step at the end of a pledge: what it would do without one.
  breaking: false,
  sql: `
ALTER TABLE tracked ADD COLUMN pledge TEXT
  CHECK (pledge IS NULL OR (state = 'tracked' AND owner IS NOT NULL AND next_step_at IS NOT NULL));
`,
};
