// Who has taken a message, where its policy wants more than one.
import type { Migration } from './migration.ts';

export const takers: Migration = {
  number: 8,
  name: 'takers',
  // A program that knows nothing of it closes with the next one who takes it.
  breaking: false,
  sql: 'ALTER TABLE tracked ADD COLUMN taken_by TEXT;',
};
