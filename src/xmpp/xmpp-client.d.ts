// The parts of @xmpp/client 0.14.0 that we use, as its source has them; it ships no types of its own. Whatever is
// private there (_onData, _onElement, _attachSocket …) is what stream.ts replaces: a new version means reading it again.
declare module '@xmpp/client' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';

  export interface Element {
    name: string;
    parent: Element | null;
    children: (Element | string)[];
    attrs: Record<string, string | undefined>;
    is(name: string, xmlns?: string): boolean;
    getName(): string;
    getNS(): string | undefined;
    getChild(name: string, xmlns?: string): Element | undefined;
    getChildren(name: string, xmlns?: string): Element[];
    getChildElements(): Element[];
    getChildText(name: string, xmlns?: string): string | null;
    text(): string;
    append(...nodes: (Element | string)[]): void;
    toString(): string;
  }

  export function xml(
    name: string,
    attrs?: Record<string, string | undefined> | null,
    ...children: (Element | string)[]
  ): Element;

  export interface Jid {
    toString(): string;
  }

  export interface QueuedStanza {
    readonly stanza: Element;
    readonly stamp: string;
  }

  export interface StreamManagement extends EventEmitter {
    enabled: boolean;
    enableSent: boolean;
    id: string;
    inbound: number;
    outbound: number;
    outbound_q: QueuedStanza[];
    /** 0 turns the library's own timers off. */
    timeout: number;
    requestAckInterval: number;
  }

  /** A SASL mechanism of the saslmechanisms package. */
  export interface Mechanism {
    readonly name: string;
    readonly clientFirst: boolean;
    response(credentials: { username: string; password: string }): Promise<string> | string;
    challenge(text: string): void;
  }

  export interface Transport {
    readonly prototype: { readonly Socket: unknown; readonly Parser: unknown };
  }

  export interface Client extends EventEmitter {
    status: string;
    timeout: number;
    socket: Socket | null;
    root: Element | null;
    parser: { write(text: string): void } | null;
    jid: Jid | null;
    Transport: Transport;
    Socket: unknown;
    Parser: unknown;
    readonly reconnect: { stop(): void };
    readonly streamManagement: StreamManagement;
    readonly saslFactory: { _mechs: { name: string; mech: new () => Mechanism }[] };
    open(options: { domain: string }): Promise<unknown>;
    restart(): Promise<unknown>;
    write(text: string): Promise<void>;
    send(element: Element): Promise<void>;
    sendMany(elements: Element[]): Promise<void>;
    _findTransport(service: string): Transport | undefined;
    _attachSocket(socket: Socket): void;
    _detachSocket(): void;
    _jid(text: string): Jid;
    _status(status: string, ...rest: unknown[]): void;
    _onData(data: Buffer): void;
    _onElement(element: Element): void;
  }

  export function client(options: {
    service: string;
    domain: string;
    resource: string;
    credentials: (
      authenticate: (credentials: { username: string; password: string }, mechanism: string) => Promise<void>,
      mechanisms: readonly string[],
    ) => Promise<void>;
  }): Client;
}
