// A next hop that says what a test tells it to: raw TCP, so that it can also be wrong, rude, slow and gone.
import net from 'node:net';

export interface Script {
  /** Replaces the greeting; null: silence. */
  greeting?: string | null;
  /** EHLO keywords. */
  extensions?: readonly string[];
  /** The reply to a command line (after 220 to STARTTLS it talks no TLS); undefined: the usual one; null: silence; `drop`: the connection is reset. */
  answer?: (line: string, connection: number) => string | null | undefined;
  /** The reply to the final dot, as above. */
  dot?: (content: string, connection: number) => string | null | undefined;
  /** Called with all octets of content that have come so far. */
  onContent?: (content: string, socket: net.Socket) => void;
}

export class ScriptedHop {
  readonly lines: string[] = [];
  /** As sent, with dots stuffed, without the final one. */
  readonly contents: string[] = [];
  connections = 0;
  open = 0;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #changed: (() => void)[] = [];

  constructor(script: Script) {
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#serve(socket, script));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** As a server that restarts: kept connections end. */
  dropAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Says something nobody asked for. */
  say(text: string): void {
    for (const socket of this.#sockets) socket.write(`${text}\r\n`);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #note(): void {
    for (const tell of this.#changed.splice(0)) tell();
  }

  #serve(socket: net.Socket, script: Script): void {
    const connection = ++this.connections;
    this.open++;
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.open--;
      this.#sockets.delete(socket);
      this.#note();
    });
    // A client that resets the connection is one of the things under test.
    socket.on('error', () => this.#note());
    this.#note();
    if (script.greeting !== null) socket.write(`${script.greeting ?? '220 hop.example ESMTP'}\r\n`);
    let text = '';
    let inContent = false;
    let afterStartTls = false;
    const answer = (reply: string | null): void => {
      if (reply === 'drop') socket.resetAndDestroy();
      else if (reply !== null) socket.write(`${reply}\r\n`);
    };
    socket.on('data', (chunk: Buffer) => {
      if (afterStartTls) {
        socket.end('this is no TLS\r\n');
        return;
      }
      text += chunk.toString('latin1');
      for (;;) {
        if (inContent) {
          const end = text.startsWith('.\r\n') ? -2 : text.indexOf('\r\n.\r\n');
          script.onContent?.(text, socket);
          if (end === -1) return;
          const content = text.slice(0, Math.max(end + 2, 0));
          text = text.slice(end + 5);
          inContent = false;
          this.contents.push(content);
          const reply = script.dot?.(content, connection);
          answer(reply === undefined ? '250 2.0.0 Ok: queued' : reply);
        } else {
          const end = text.indexOf('\r\n');
          if (end < 0) return;
          const line = text.slice(0, end);
          text = text.slice(end + 2);
          this.lines.push(line);
          const scripted = script.answer?.(line, connection);
          const reply = scripted === undefined ? usual(line, script) : scripted;
          if (reply?.startsWith('354')) inContent = true;
          if (line === 'STARTTLS' && reply?.startsWith('220')) afterStartTls = true;
          answer(reply);
          if (line === 'QUIT') socket.end();
        }
        this.#note();
      }
    });
  }
}

function usual(line: string, script: Script): string {
  const verb = line.slice(0, 4).toUpperCase();
  if (verb === 'EHLO') {
    return ['hop.example', ...(script.extensions ?? ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'SIZE 1000000'])]
      .map((word, index, all) => `250${index === all.length - 1 ? ' ' : '-'}${word}`)
      .join('\r\n');
  }
  if (verb === 'DATA') return '354 go on';
  return verb === 'QUIT' ? '221 2.0.0 bye' : '250 2.0.0 ok';
}
