// The source of people that the configuration names.
import type { DirectoryConfig } from '../config/directory.ts';
import type { DirectorySource } from '../directory/source.ts';
import type { Log } from '../log.ts';
import { createLdapSource } from './ldap.ts';
import { createCommandSource, createFileSource } from './written.ts';

export function createDirectorySource({ source }: DirectoryConfig, log: Log): DirectorySource {
  if (source.kind === 'ldap') return createLdapSource(source, log);
  return source.kind === 'file' ? createFileSource(source.path) : createCommandSource(source.command, source.within);
}
