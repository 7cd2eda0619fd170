// A fresh @xmpp/client, tamed: no reconnection, no timers, our SASL mechanisms, and our way of writing and counting.
import { type Client, client } from '@xmpp/client';
import type { Clock } from '../clock.ts';
import type { XmppConfig } from '../config.ts';
import { Plain, Scram } from './scram.ts';
import type { Element } from './stanza.ts';
import { ns } from './stanza.ts';

export interface TamedOptions {
  readonly config: XmppConfig;
  readonly domain: string;
  readonly clock: Clock;
  isSecure(): boolean;
  /** The mechanism that this login uses: its proof is checked with the success. */
  onScram(scram: Scram): void;
  onAsk(asked: 'enable' | 'resume'): void;
}

export function makeClient(options: TamedOptions): Client {
  const { config, domain } = options;
  const x = client({
    // Never dialled by the library: begin() hands it a socket.
    service: 'xmpp://localhost:5222',
    domain,
    resource: config.resource,
    credentials: async (authenticate, offered) => {
      const [mechanism] = offered.filter((name) => name !== 'ANONYMOUS' && (name !== 'PLAIN' || options.isSecure()));
      if (mechanism === undefined) throw new Error('the server offers no way to log in that is safe here');
      const username = config.jid.slice(0, config.jid.lastIndexOf('@'));
      await authenticate({ username, password: config.password }, mechanism);
    },
  });
  x.reconnect.stop();
  // No timer of the library's: it calls disconnect() on a dead peer, which loses the session.
  x.timeout = 0;
  x.streamManagement.timeout = 0;
  x.streamManagement.requestAckInterval = 0;
  plugMechanisms(x, options);
  plugSending(x, options);
  return x;
}

function plugMechanisms(x: Client, { onScram }: TamedOptions): void {
  class Sha256 extends Scram {
    constructor() {
      super('SCRAM-SHA-256');
      onScram(this);
    }
  }
  class Sha1 extends Scram {
    constructor() {
      super('SCRAM-SHA-1');
      onScram(this);
    }
  }
  // In the order of preference; the library's own are not among them.
  x.saslFactory._mechs = [
    { name: 'SCRAM-SHA-256', mech: Sha256 },
    { name: 'SCRAM-SHA-1', mech: Sha1 },
    { name: 'PLAIN', mech: Plain },
  ];
}

/**
 * Stanzas enter the queue of XEP-0198 when they are written: the library waits for the kernel, and a cut between the two
 * makes the server count one that we do not know of.
 */
function plugSending(x: Client, { clock, onAsk }: TamedOptions): void {
  const sm = x.streamManagement;
  const enqueue = (element: Element): void => {
    if (element.is('enable', ns.sm)) {
      onAsk('enable');
      sm.enableSent = true;
    } else if (element.is('resume', ns.sm)) {
      onAsk('resume');
    } else if (isStanza(element) && (sm.enabled || sm.enableSent)) {
      sm.outbound_q.push({ stanza: element, stamp: new Date(clock.now()).toISOString() });
    }
  };
  x.sendMany = async (elements) => {
    for (const element of elements) await x.send(element);
  };
  x.send = async (element) => {
    element.parent = x.root;
    enqueue(element);
    await x.write(element.toString());
  };
}

export function isStanza(element: Element): boolean {
  return element.name === 'iq' || element.name === 'message' || element.name === 'presence';
}
