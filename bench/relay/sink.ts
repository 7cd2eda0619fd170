// The next hop of every system: Postfix's smtp-sink, which counts what it has taken.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { programPath } from '../../test/support/peers.ts';

export class Sink {
  readonly port: number;
  readonly #counter: number;
  readonly #process: ChildProcess;

  constructor(folder: string, port: number) {
    this.port = port;
    const file = join(folder, 'sink-count');
    const out = openSync(file, 'w');
    this.#counter = openSync(file, 'r');
    // As nobody when we are root; -c prints running totals, each ending in a carriage return.
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    const args = [...user, '-m', '1000', '-c', `127.0.0.1:${port}`, '1024'];
    this.#process = spawn(programPath('smtp-sink') ?? 'smtp-sink', args, { stdio: ['ignore', out, 'inherit'] });
    closeSync(out);
  }

  /** Messages taken so far. */
  get count(): number {
    const { size } = fstatSync(this.#counter);
    const tail = Buffer.alloc(Math.min(size, 120));
    readSync(this.#counter, tail, 0, tail.length, size - tail.length);
    return Number([...tail.toString('latin1').matchAll(/mesg=(\d+)\r/g)].at(-1)?.[1] ?? 0);
  }

  stop(): void {
    this.#process.kill();
    closeSync(this.#counter);
  }
}
