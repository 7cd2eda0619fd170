// What a next hop says, cut into replies (RFC 5321 §4.2.1), wherever the network has cut it before. Pure.

/** Octets of one reply; what is longer never ends. */
export const longestReply = 65_536;

export class ReplyReader {
  /** Octets that came, as Latin-1: of a reply that is not whole yet. */
  #partial = '';
  /** Where in it the line starts that has not ended. */
  #lineAt = 0;

  /** The replies that are whole now, all lines of each, without its last line end. */
  read(octets: Buffer): string[] {
    const all = this.#partial + octets.toString('latin1');
    const replies: string[] = [];
    let start = 0;
    let at = this.#lineAt;
    for (;;) {
      const end = all.indexOf('\n', at);
      if (end < 0 || end - start > longestReply) break;
      // A hyphen after the code says that more lines follow.
      const more = all[at + 3] === '-' && /^\d{3}$/.test(all.slice(at, at + 3));
      at = end + 1;
      if (more) continue;
      replies.push(decoded(all.slice(start, end)));
      start = at;
    }
    this.#partial = all.slice(start);
    this.#lineAt = at - start;
    return replies;
  }

  /** Some of a reply has come, and not its end. */
  get isWithin(): boolean {
    return this.#partial !== '';
  }

  get isEndless(): boolean {
    return this.#partial.length > longestReply;
  }
}

/** Replies may be UTF-8 (RFC 6531 §3.7.4.2). */
const decoded = (latin1: string): string =>
  /[\x80-\xff]/.test(latin1) ? Buffer.from(latin1, 'latin1').toString('utf8') : latin1;
