// The members of the group at their clients, who take two of three messages by answering their nudge, and change their
// presence now and then. Driven by the same script as the live tests.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Prosody } from '../../test/support/prosody-server.ts';
import { kindOf, type Mix, members } from './mix.ts';

export class Members {
  readonly #child: ChildProcess;
  readonly #mix: Mix;
  readonly #wander: NodeJS.Timeout;
  readonly #online = new Map<string, () => void>();
  acks = 0;
  nudges = 0;

  private constructor(mix: Mix) {
    this.#mix = mix;
    const script = fileURLToPath(new URL('../../test/live/peers/person.py', import.meta.url));
    this.#child = spawn('/usr/bin/python3', ['-u', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (!this.#child.stdout) throw new Error('the members have no output');
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#hear(JSON.parse(line)));
    let turn = 0;
    this.#wander = setInterval(() => {
      turn += 1;
      const [as = ''] = [members[turn % members.length]];
      this.#do({ do: 'show', as, show: ['available', 'away', 'chat'][turn % 3] });
    }, 20_000);
  }

  static async login(prosody: Prosody, mix: Mix): Promise<Members> {
    const all = new Members(mix);
    await Promise.all(
      members.map((name) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        all.#online.set(name, resolve);
        const where = { host: '127.0.0.1', port: prosody.port, ca: prosody.caFile };
        all.#do({ do: 'login', as: name, jid: `${name}@${prosody.domain}`, password: name, ...where });
        return promise;
      }),
    );
    return all;
  }

  #hear(told: { as: string; event: string; from?: string; body?: string; why?: string }): void {
    if (told.event === 'online') this.#online.get(told.as)?.();
    if (told.event === 'refused') throw new Error(`${told.as} could not log in: ${told.why}`);
    if (told.event !== 'message' || told.body === undefined) return;
    const nudge = /^#(\w+) Mail for .*“soak (\d+)”/m.exec(told.body);
    if (!nudge) return;
    this.nudges += 1;
    if (kindOf(Number(nudge[2]), this.#mix) !== 'acked') return;
    this.acks += 1;
    this.#do({ do: 'say', as: told.as, to: told.from, body: `ack ${nudge[1]}` });
  }

  #do(command: object): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  stop(): void {
    clearInterval(this.#wander);
    this.#child.kill();
  }
}
