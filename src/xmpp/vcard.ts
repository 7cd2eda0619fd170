// Our name and picture in people's contact lists (XEP-0054), published once a session where the server has none of ours.
// The picture is a set of points, drawn here so that it needs no file: a fork of two tracks in a square.
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import type { Log } from '../log.ts';
import type { Iq } from './iq.ts';
import type { Element } from './stanza.ts';
import { ns, xml } from './stanza.ts';

const side = 48;

/** PNG (ISO/IEC 15948) of grey scale with 8 bits: small, and every client shows it. */
export function picture(): Buffer {
  const rows = Array.from({ length: side }, (_, y) =>
    Buffer.from([0, ...Array.from({ length: side }, (__, x) => (isTrack(x, y) ? 255 : 48))]),
  );
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([8, 0, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** A straight track, and one that leaves it to the right. */
function isTrack(x: number, y: number): boolean {
  const near = (at: number) => Math.abs(x - at) < 3;
  const leaves = y > 30 ? 16 : 16 + ((30 - y) / 30) ** 1.5 * 22;
  return (near(16) || near(leaves)) && y > 3 && y < side - 4;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

function crc32(data: Buffer): number {
  let crc = 0xffffffff;
  for (const octet of data) {
    crc ^= octet;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const photo = picture();
/** XEP-0153 §3.1: the hash of the picture, beside our presence. */
export const photoHash: string = createHash('sha1').update(photo).digest('hex');

export function card(): Element {
  return xml(
    'vCard',
    { xmlns: ns.vcard },
    xml('FN', {}, 'Pointsman'),
    xml('NICKNAME', {}, 'Pointsman'),
    xml('DESC', {}, 'Passes mail for a group to the member who is there. Answer help.'),
    xml('PHOTO', {}, xml('TYPE', {}, 'image/png'), xml('BINVAL', {}, photo.toString('base64'))),
  );
}

/** A card an administrator has made stays. */
export async function publishCard(iq: Iq, log: Log): Promise<void> {
  try {
    const answer = await iq.request('get', null, xml('vCard', { xmlns: ns.vcard })).catch((error: Error) => error);
    const there = answer instanceof Error ? undefined : answer.getChild('vCard', ns.vcard);
    if (there && there.getChildElements().length > 0) return;
    await iq.request('set', null, card());
  } catch (error) {
    log.debug({ err: error }, 'our vCard could not be published');
  }
}
