// Named windows between two durable steps. Tests kill the process in each; in production reaching one does nothing.

export const windows = [
  'accepted-not-replied', // committed, 250 not yet said
  'claimed', // lease taken, nothing chosen
  'chosen', // decision stored, not dialled
  'final-dot-recorded', // about to write the final dot
  'shipped', // next hop said 250, not yet settled
  'settled', // settled, nudge not yet claimed
  'nudge-claimed', // about to send the nudge
  'nudge-sent', // sent, not yet recorded
  'step-claimed', // escalation due, nothing advanced
  'step-advanced', // advanced, its forward leased and not yet attempted
  'return-recorded', // a report of the next hop is stored, nothing followed from it yet
  'return-moved-on', // the next one has it, the sender is not told yet
] as const;
export type Window = (typeof windows)[number];

export type FaultPoint = (window: Window) => void;
export const noFaults: FaultPoint = () => undefined;

/** `POINTSMAN_KILL_AT=chosen:3`: dies by SIGKILL the third time that window is reached. For tests of crashes alone. */
export function faultPointFrom(setting: string | undefined): FaultPoint {
  const parts = /^([a-z-]+):(\d+)$/.exec(setting ?? '');
  const window = windows.find((each) => each === parts?.[1]);
  if (!window) return noFaults;
  let left = Number(parts?.[2]);
  return (reached) => {
    if (reached !== window) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
