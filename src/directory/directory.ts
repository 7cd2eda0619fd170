// What a directory says of people and groups, once it is read, checked and put into our words: plain data, whatever
// source it came from. What an entry said that cannot be used is left out, with a sentence why.
import type { Mailbox } from '../mail/path.ts';
import type { BareJid } from '../presence/jid.ts';

export interface DirectoryPerson {
  /** How the source calls the entry: an LDAP DN, or the name in a file. */
  readonly id: string;
  /** As rules, commands and logs call them. */
  readonly name: string;
  readonly mail: Mailbox;
  /** Their other addresses. */
  readonly also?: readonly Mailbox[];
  /** Absent: the mail address; null: they have none. */
  readonly jid?: BareJid | null;
  readonly skills?: readonly string[];
  readonly zone?: string;
  readonly language?: 'en' | 'de';
  readonly phone?: string;
  /** Days on which they are away, both counted; the substitute is the name of another person of the directory. */
  readonly absent?: { readonly from: string; readonly to: string; readonly substitute?: string };
}

export interface DirectoryGroup {
  readonly id: string;
  readonly name: string;
  /** Names of people, in the order of the source; those of groups within it are among them. */
  readonly members: readonly string[];
  /** Members that could not be found or used, each with the reason. */
  readonly missing?: readonly string[];
}

export interface Directory {
  readonly people: readonly DirectoryPerson[];
  readonly groups: readonly DirectoryGroup[];
}

/** What was read, and what of it had to be left out. */
export interface Reading {
  readonly directory: Directory;
  /** Entries that cannot be used: which, and why. */
  readonly flaws: readonly Flaw[];
}

export interface Flaw {
  readonly id: string;
  readonly text: string;
}

export const emptyDirectory: Directory = Object.freeze({ people: Object.freeze([]), groups: Object.freeze([]) });
