// What the SMTP adapters need of a log; pino's logger fits.
export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

const ignore = (): void => undefined;
export const noLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
