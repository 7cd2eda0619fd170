// Large content is a file in the folder `content` beside the database; the row has its name and no octets.
// Breaking: an older program would send such a message with nothing in it.
import type { Migration } from './migration.ts';

export const contentFiles: Migration = {
  number: 3,
  name: 'content files',
  breaking: true,
  sql: 'ALTER TABLE message_content ADD COLUMN file TEXT;',
};
