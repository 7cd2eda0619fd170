// The end of the program, in order: in at the front is closed first, what is in hand ends, then the links out, the store
// last.
interface Closing {
  close(): Promise<void>;
}

export interface Running {
  readonly frontDoor: Closing;
  readonly doors: Closing;
  readonly relay: { drain(): Promise<void> };
  readonly desk: { stop(): void };
  readonly xmpp: { stop(): Promise<void> } | null;
  readonly mailboxes: { stop(): Promise<void> } | null;
  readonly transport: Closing;
  readonly store: Closing;
  readonly control: Closing;
  readonly health: Closing;
  readonly pages: Closing | null;
  /** What is shown to directory clients. */
  readonly view: Closing | null;
}

/** Once, however often asked. */
export function stopper(running: Running): () => Promise<void> {
  let stopped: Promise<void> | null = null;
  const stop = async () => {
    await Promise.all([running.frontDoor.close(), running.doors.close(), running.view?.close()]);
    await running.relay.drain();
    await running.mailboxes?.stop();
    running.desk.stop();
    await running.xmpp?.stop();
    await running.transport.close();
    await running.pages?.close();
    await running.control.close();
    await running.health.close();
    await running.store.close();
  };
  return () => {
    stopped ??= stop();
    return stopped;
  };
}
