// How a command ends: the codes, and the error that carries one.

export const exitCodes = {
  fine: 0,
  /** A problem was found, or what was asked for could not be done. */
  problem: 1,
  /** Wrong usage: an unknown command, option or value. */
  usage: 2,
  /** sysexits EX_CONFIG: pointsman.yaml or a rule file is wrong. */
  configuration: 78,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends a command with a sentence on standard error and an exit code; never shown with a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}
