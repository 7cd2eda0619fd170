// What is believed of presence, and the link through troubles, on a real Prosody.
import { describe } from 'vitest';
import { faultSuite } from '../support/fault-suite.ts';
import { requirePeer } from '../support/peers.ts';
import { presenceSuite } from '../support/presence-suite.ts';
import { Prosody } from '../support/prosody-server.ts';
import { XmppSite } from '../support/xmpp-site.ts';

const domain = 'example.test';
const jids = XmppSite.shared.map((name) => `${name}@${domain}`);

describe.skipIf(!requirePeer('prosody', 'slixmpp'))('on Prosody', () => {
  const open = () => Prosody.start({ domain, accounts: XmppSite.accounts, sharedRoster: jids, unlimited: true });
  presenceSuite('Prosody', open);
  faultSuite('Prosody', open, { slow: false });
});
