// The rules the IM dialogues live under, by name (`! rules NAME`).
const people = `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
  dave: { mail: dave@example.org }
  carol: { mail: carol@example.org, operator: true }
`;
const steps = `    steps:
      - { name: next, after: 10m, to: next, times: 2 }
      - { name: room, after: 10m, to: { room: duty@rooms.example.org } }
`;

const withUntil = (until: string) => `${people}
groups:
  support:
    address: support@example.org
    members: [alice, bob]
    strategy: in-order
    eligible: [chat, available, away]
    fallback: { mailbox: archive@example.org }
    policy: standard
  sales:
    address: sales@example.org
    members: [dave, carol]
    hold: 1h
    fallback: { mailbox: archive@example.org }
    policy: standard
policies:
  standard:
    until: ${until}
${steps}`;

export const ruleSets: Readonly<Record<string, string>> = {
  standard: withUntil('taken'),
  answered: withUntil('answered'),
  /** carol picks who gets mail for support. */
  propose: withUntil('taken').replace('strategy: in-order', 'strategy: in-order\n    mode: propose'),
  'propose-to': withUntil('taken').replace(
    'strategy: in-order',
    'strategy: in-order\n    mode: propose\n    propose: { to: dave, within: 5m }',
  ),
  /** The room is asked first, so that several may claim. */
  room: withUntil('answered').replace(
    steps,
    `    steps:
      - { name: room, after: 1m, to: { room: duty@rooms.example.org } }
      - { name: next, after: 1h, to: next, times: 2 }
`,
  ),
};
