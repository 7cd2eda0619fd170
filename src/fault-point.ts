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
  'step-advanced', // advanced, forward not yet claimed
] as const;
export type Window = (typeof windows)[number];

export type FaultPoint = (window: Window) => void;
export const noFaults: FaultPoint = () => undefined;
