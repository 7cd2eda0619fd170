// The same as over Prosody, over ejabberd.
import { describe } from 'vitest';
import { Ejabberd } from '../support/ejabberd.ts';
import { accounts, openSiteOn } from '../support/live-site.ts';
import { operatorsSuite } from '../support/operators-suite.ts';
import { requirePeer } from '../support/peers.ts';
import { postfixMayRun } from '../support/postfix.ts';

describe.skipIf(!requirePeer('postfix', 'ejabberd', 'slixmpp') || !postfixMayRun())('with slixmpp', () => {
  operatorsSuite('ejabberd', (rules) =>
    openSiteOn(rules, Ejabberd.start({ domain: 'example.test', accounts, sharedRoster: true })),
  );
});
