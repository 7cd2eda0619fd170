// The front door alone, with room for thousands: what an idle connection costs is measured on it (memory.ts). Prints
// its port.
import type { QueueId } from '../../src/mail/queue-id.ts';
import { createFrontDoor } from '../../src/smtp/server.ts';

const door = createFrontDoor({
  listen: [{ host: '127.0.0.1', port: 0, carriesMembers: false }],
  hostname: 'door.test',
  size: 1_000_000,
  peers: [],
  intake: {
    admitClient: () => undefined,
    admitRecipient: () => undefined,
    accept: async () => '0123456789ABC' as QueueId,
  },
  limits: { connections: 10_000, connectionsPerPeer: 10_000 },
});
const [bound] = await door.start();
process.stdout.write(`${bound?.port}\n`);
