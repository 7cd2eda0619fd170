// The content of a message as it is handed around: octets in memory, or, when it is large, a synced file that nobody
// changes any more. `length` counts octets either way.

/** More than this goes into a file: a message costs no more memory than this, however large it is. */
export const mostInMemory = 256 * 1_024;

export interface ContentFile {
  readonly length: number;
  /** The first `mostInMemory` octets: what the header is read from. */
  readonly head: Uint8Array;
  /** Absolute. */
  readonly path: string;
}

export type Content = Uint8Array | ContentFile;

/** A file that is being written. Whoever has it either finishes or discards it. */
export interface ContentWriter {
  write(octets: Uint8Array): Promise<void>;
  /** Synced, also its name. It is deleted at the next start unless a message was accepted with it. */
  finish(): Promise<ContentFile>;
  discard(): Promise<void>;
}

export const isFile = (content: Content): content is ContentFile => !(content instanceof Uint8Array);

/** All of it, or as much as is in memory. */
export const headOf = (content: Content): Uint8Array => (isFile(content) ? content.head : content);
