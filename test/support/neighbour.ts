// An MTA of others beside Pointsman: mail for groups goes from it through Pointsman, and Pointsman's mail goes on
// through it; what it has nothing else to do with it sends to a sink.

export interface Ports {
  /** Where clients hand mail to the MTA. */
  readonly front: number;
  /** Where Pointsman does. */
  readonly back: number;
  /** Where the MTA reaches Pointsman. */
  readonly pointsman: number;
  /** Everything else goes there. */
  readonly sink: number;
}

export interface NeighbourOptions {
  readonly root: string;
  readonly ports: Ports;
  /** Further files of its folder, its user's own. */
  readonly files?: Readonly<Record<string, string>>;
  /** On its command line. */
  readonly arguments?: readonly string[];
}

export interface Neighbour extends AsyncDisposable {
  /** From now on it takes mail for `busy`. */
  calm(): Promise<void>;
  /** Those that wait for long are tried now. */
  hurry?(): Promise<void>;
  log(): Promise<string>;
}
