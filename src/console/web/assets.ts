// The files that pages load: our style sheet, our script, htmx and its extension, all from our own origin, each under a
// name that changes with its content, so that browsers may keep it for ever. Read once, at the start.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

interface Asset {
  readonly type: string;
  readonly content: Buffer;
  readonly hash: string;
}

const ours = join(import.meta.dirname, '..', '..', '..', 'web');
const packages = createRequire(import.meta.url);
const javascript = 'text/javascript; charset=utf-8';

const files = {
  'console.css': ['text/css; charset=utf-8', join(ours, 'console.css')],
  'desk.css': ['text/css; charset=utf-8', join(ours, 'desk.css')],
  'console.js': [javascript, join(ours, 'console.js')],
  'mark.svg': ['image/svg+xml', join(ours, 'mark.svg')],
  'htmx.js': [javascript, packages.resolve('htmx.org/dist/htmx.min.js')],
  'sse.js': [javascript, packages.resolve('htmx.org/dist/ext/hx-sse.min.js')],
} as const;

export type AssetName = keyof typeof files;

const assets = new Map<string, Asset>(
  Object.entries(files).map(([name, [type, path]]) => {
    const content = readFileSync(path);
    return [name, { type, content, hash: createHash('sha256').update(content).digest('hex').slice(0, 12) }];
  }),
);

export function assetUrl(name: AssetName): string {
  return `/assets/${assets.get(name)?.hash}/${name}`;
}

/** Undefined for what is not there, also under an old hash: a page that asks for it is older than this program. */
export function assetAt(hash: string, name: string): Pick<Asset, 'type' | 'content'> | undefined {
  const asset = assets.get(name);
  return asset?.hash === hash ? asset : undefined;
}
