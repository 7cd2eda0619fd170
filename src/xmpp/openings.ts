// When messages can go again: to people with every session, to a room when we are in it. Told beside what the rooms
// tell of who is in them.
import type { BareJid } from '../presence/jid.ts';
import type { RoomEvents } from './duty-rooms.ts';
import { Listeners } from './listeners.ts';

export class Openings extends Listeners<[room: BareJid | null]> {
  and(rooms: RoomEvents): RoomEvents {
    return {
      present: (...told) => rooms.present(...told),
      absent: (...told) => rooms.absent(...told),
      renamed: (...told) => rooms.renamed(...told),
      left: (...told) => rooms.left(...told),
      entered: (room) => {
        rooms.entered(room);
        this.tell(room);
      },
    };
  }
}
