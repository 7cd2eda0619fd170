// What the pages of docs/operate/ tell an admin to copy, for the tests that run it.
import { readFileSync } from 'node:fs';

/** The block after `<!-- live: NAME -->`. @param ports what stands for the ports it names, which have five digits */
export function documentedIn(page: string, name: string, ports: Readonly<Record<number, number>>): string {
  const text = readFileSync(new URL(`../../docs/operate/${page}.md`, import.meta.url), 'utf8');
  const [, block] = new RegExp(`<!-- live: ${name} -->\\n\`\`\`\\n(.*?)\\n\`\`\``, 's').exec(text) ?? [];
  if (block === undefined) throw new Error(`docs/operate/${page}.md has no block "${name}"`);
  return `${block.replace(/\b\d{5}\b/g, (port) => String(ports[Number(port)] ?? port))}\n`;
}
