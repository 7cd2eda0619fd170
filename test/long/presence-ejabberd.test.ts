// The same suites as over Prosody, over ejabberd, which differs: it says nothing of who is offline, and keeps the show
// when a nick changes.
import { describe } from 'vitest';
import { Ejabberd } from '../support/ejabberd.ts';
import { faultSuite } from '../support/fault-suite.ts';
import { requirePeer } from '../support/peers.ts';
import { presenceSuite } from '../support/presence-suite.ts';
import { XmppSite } from '../support/xmpp-site.ts';

describe.skipIf(!requirePeer('ejabberd', 'slixmpp'))('on ejabberd', () => {
  const open = () =>
    Ejabberd.start({
      domain: 'example.test',
      accounts: XmppSite.accounts,
      sharedRoster: XmppSite.shared,
      unlimited: true,
    });
  presenceSuite('ejabberd', open);
  faultSuite('ejabberd', open, { slow: true });
});
