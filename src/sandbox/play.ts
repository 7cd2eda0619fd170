// What viewers of the sandbox's console may do: make its people come and go, send mail, answer, and let time run.
import { randomUUID } from 'node:crypto';
import type { Play } from '../console/web/play.ts';
import { RefusedError } from '../operations.ts';
import type { Cast } from './cast.ts';
import type { Director, Mailer } from './director.ts';
import { strangersDomain } from './episodes.ts';
import type { PacedClock } from './paced-clock.ts';
import type { People } from './people.ts';
import { reactions } from './reaction.ts';

/** Faster, the links between the parts would no longer keep their time limits. */
const speeds = [1, 5, 20] as const;

export function playFor({
  cast,
  people,
  director,
  clock,
  send,
  bot,
}: {
  readonly cast: Cast;
  readonly people: People;
  readonly director: Director;
  readonly clock: PacedClock;
  readonly send: Mailer['send'];
  /** Whom answers go to. */
  readonly bot: string;
}): Play {
  const listeners: (() => void)[] = [];
  const changed = () => {
    for (const listener of listeners) listener();
  };
  return {
    people: () => people.cast(),
    scene: () => director.scene,
    async become(name, mood) {
      if (!people.cast().some((person) => person.name === name))
        throw new RefusedError(`nobody called ${JSON.stringify(name)} plays here`);
      director.standStill();
      await people.become({ [name]: mood }, 'as they are');
      changed();
    },
    async send({ to, subject }) {
      const group = cast.groups.find(({ address }) => address === to);
      if (!group) throw new RefusedError(`${JSON.stringify(to)} is no group of these rules`);
      director.standStill();
      const messageId = `<${randomUUID()}@${strangersDomain}>`;
      const from = `You <you@${strangersDomain}>`;
      await send({ from, to: group.address, subject, text: 'Sent from the console of the sandbox.\n', messageId });
      changed();
    },
    async answer(name, shortId, answer) {
      director.standStill();
      if (!(await people.answer(name, bot, shortId, answer)))
        throw new RefusedError(`${name} is not there, or is played by somebody else`);
      changed();
    },
    reactions,
    speed: () => clock.factor,
    speeds,
    setSpeed(factor) {
      clock.factor = factor;
      changed();
    },
    resume() {
      director.goOn();
      changed();
    },
    onChange: (listener) => void listeners.push(listener),
  };
}
