// A start asks which files of content are still of use: among a million messages that wait it must not look at each.
import type { Migration } from './migration.ts';

export const contentFileIndex: Migration = {
  number: 10,
  name: 'content file index',
  breaking: false,
  sql: 'CREATE INDEX message_content_file ON message_content (file) WHERE file IS NOT NULL;',
};
