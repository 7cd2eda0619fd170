// SQLite's write-ahead log as bytes (https://www.sqlite.org/fileformat2.html §4): where its valid part ends, and what a
// power cut in the middle of a write may leave behind that.
import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { between, type Chance } from './chance.ts';

const headerSize = 32;
const frameHeaderSize = 24;

export interface WalEnd {
  /** Behind the last frame that ends a transaction. */
  readonly offset: number;
  /** Changes whenever the log begins anew. */
  readonly salt: string;
  readonly frame: number;
}

/** Undefined when there is no log, or nothing in it. The salts are enough here: nothing else wrote to it meanwhile. */
export function endOfWal(path: string): WalEnd | undefined {
  if (!existsSync(path)) return undefined;
  const wal = readFileSync(path);
  if (wal.length < headerSize) return undefined;
  const frame = frameHeaderSize + wal.readUInt32BE(8);
  const salt = wal.toString('hex', 16, 24);
  let offset = headerSize;
  for (let at = headerSize; at + frame <= wal.length; at += frame) {
    if (wal.toString('hex', at + 8, at + 16) !== salt) break;
    // Not zero in the last frame of a transaction: the size of the database after it.
    if (wal.readUInt32BE(at + 4) !== 0) offset = at + frame;
  }
  return { offset, salt, frame };
}

/** Noise where the next frame would begin. */
export function addGarbage(path: string, end: WalEnd, chance: Chance): void {
  const length = between(chance, 1, 3 * end.frame);
  put(path, Buffer.from(Array.from({ length }, () => Math.floor(chance() * 256))), end.offset);
}

/** The next frame, of which only the beginning reached the disk: its header looks right, its checksum cannot be. */
export function tearFrame(path: string, end: WalEnd, chance: Chance): void {
  const wal = readFileSync(path);
  if (end.offset - end.frame < headerSize) {
    addGarbage(path, end, chance);
    return;
  }
  const last = Buffer.from(wal.subarray(end.offset - end.frame, end.offset));
  last.fill(0xa5, between(chance, frameHeaderSize, last.length - 1));
  put(path, last.subarray(0, between(chance, 8, last.length)), end.offset);
}

/** What was written after `from`, and never synced, is gone. False when the log has begun anew since. */
export function cutBack(path: string, from: WalEnd): boolean {
  const now = endOfWal(path);
  if (!now || now.salt !== from.salt || now.offset < from.offset) return false;
  const file = openSync(path, 'r+');
  try {
    ftruncateSync(file, from.offset);
  } finally {
    closeSync(file);
  }
  return true;
}

function put(path: string, octets: Buffer, at: number): void {
  const file = openSync(path, 'r+');
  try {
    writeSync(file, octets, 0, octets.length, at);
  } finally {
    closeSync(file);
  }
}
