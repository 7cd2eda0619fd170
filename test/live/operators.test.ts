// People answer by instant message, over Prosody.
import { describe } from 'vitest';
import { openLiveSite } from '../support/live-site.ts';
import { operatorsSuite } from '../support/operators-suite.ts';
import { requirePeer } from '../support/peers.ts';

describe.skipIf(!requirePeer('postfix', 'prosody', 'slixmpp'))('with slixmpp', () => {
  operatorsSuite('Prosody', openLiveSite);
});
