// Negotiation: what we ask of an MTA, never more than it offers. Postfix closes the connection when an action was not
// on offer, Sendmail when a protocol bit was not, and both when the version is higher than theirs.
import type { Powers } from './reply.ts';
import { actions, macroStages, type Offer, steps } from './wire.ts';

/** What the milter wants of the conversation. */
export interface Wants {
  /** Actions it may take at the end of a message. */
  readonly actions: number;
  /** Steps at which it decides, and so must answer. */
  readonly decidesAt: ReadonlySet<'connect' | 'helo' | 'sender' | 'recipient' | 'headers'>;
  readonly body: boolean;
  /**
   * Nothing is answered where nothing is decided. Eight times as fast on a unix socket; but over TCP Postfix's small
   * writes without an answer in between wait 44 ms for each other (Nagle's algorithm and delayed acknowledgements), so
   * there every step is taken and answered.
   */
  readonly fewReplies: boolean;
}

export interface Agreed extends Offer {
  readonly symbols: readonly (readonly [stage: number, names: string])[];
}

export const lowestVersion = 2;
const highestVersion = 6;

/**
 * Empty lists would mean "the usual ones" to Postfix. Sendmail takes the list for the end of the message only when
 * there is one for the end of the headers, too.
 */
const symbols = [
  [macroStages.connect, 'j {daemon_name} {client_addr} {client_name} {client_port}'],
  [macroStages.mail, 'i {auth_type} {auth_authen} {mail_addr}'],
  [macroStages.recipient, 'i {rcpt_addr} {rcpt_host} {rcpt_mailer}'],
  [macroStages.data, 'i'],
  [macroStages.endOfHeaders, 'i'],
  [macroStages.endOfMessage, 'i {msg_id}'],
] as const;

/** Undefined when the MTA's version is too old to be spoken to. */
export function negotiate(offer: Offer, wants: Wants): Agreed | undefined {
  if (offer.version < lowestVersion) return undefined;
  // Nobody speaks 5 as something of its own.
  const version = offer.version === 5 ? 4 : Math.min(offer.version, highestVersion);
  // Zeros are what version 1 had, says libmilter.
  const offeredActions = offer.actions === 0 ? 0x0f : offer.actions;
  const offered = offer.protocol === 0 ? 0x3f : offer.protocol;
  const agreed = (wants.actions | actions.setSymbolList) & offeredActions;
  return {
    version,
    actions: agreed >>> 0,
    protocol: (protocolOf(wants) & offered) >>> 0,
    symbols: (agreed & actions.setSymbolList) !== 0 && version >= 6 ? symbols : [],
  };
}

/** What that means for what may be answered. */
export const powersOf = ({ version, actions: may, protocol }: Agreed): Powers => ({
  version,
  actions: may,
  leadingSpace: (protocol & steps.headerLeadingSpace) !== 0,
  body: (protocol & steps.noBody) === 0,
});

function protocolOf({ decidesAt, body, fewReplies }: Wants): number {
  let protocol = steps.noUnknown | steps.headerLeadingSpace;
  protocol |= body ? steps.skip : steps.noBody;
  if (!fewReplies) return protocol;
  protocol |= steps.noData | steps.nrUnknown | steps.nrHeader | steps.nrBody | steps.nrData;
  if (!decidesAt.has('connect')) protocol |= steps.nrConnect;
  if (!decidesAt.has('helo')) protocol |= steps.nrHelo;
  if (!decidesAt.has('sender')) protocol |= steps.nrMail;
  if (!decidesAt.has('recipient')) protocol |= steps.nrRecipient;
  protocol |= decidesAt.has('headers') ? 0 : steps.noEndOfHeaders | steps.nrEndOfHeaders;
  return protocol;
}
