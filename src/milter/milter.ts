// The library's entrance: `import { createMilter } from 'pointsman/milter'`. A milter server of its own, without the
// router: give it handlers, listen, and an MTA can ask it. docs/reference/milter.md shows one in twenty lines.
import { type Clock, systemClock } from '../clock.ts';
import type { Handlers } from './handlers.ts';
import { type Milter, MilterServer, type ServerOptions } from './server.ts';

export type { Reply } from '../mail/reply.ts';
export type { Handlers } from './handlers.ts';
export type { Client, EnvelopeAddress, Message } from './message.ts';
export type { Edit, EndVerdict, Verdict } from './reply.ts';
export type { Limits, Milter, MilterAddress } from './server.ts';
export { actions } from './wire.ts';

export type MilterOptions = Omit<ServerOptions, 'clock' | 'handlers'> & { readonly clock?: Clock };

export function createMilter(handlers: Handlers, options: MilterOptions = {}): Milter {
  return new MilterServer({ ...options, handlers, clock: options.clock ?? systemClock });
}
