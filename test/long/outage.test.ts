// Ten minutes without the chat server, under load.
import { describe } from 'vitest';
import { outageSuite } from '../support/outage-suite.ts';
import { requirePeer } from '../support/peers.ts';
import { postfixMayRun } from '../support/postfix.ts';

describe.skipIf(!requirePeer('postfix', 'prosody', 'slixmpp') || !postfixMayRun())('ten minutes', () => {
  outageSuite({ step: '2m', mails: 110, every: 4_000, lasts: 600_000 });
});
