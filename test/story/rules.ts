// The rules most stories live under.
export const rules = `
people:
  alice: { mail: alice@example.org }
  bob: { mail: bob@example.org }
  carol: { mail: carol@example.org, operator: true }
  dave: { mail: dave@example.org }
groups:
  support:
    address: support@example.org
    members: [alice, bob, dave]
    strategy: in-order
    fallback: { mailbox: archive@example.org }
    policy: standard
  ops:
    address: ops@example.org
    members: [alice, bob]
    strategy: longest-idle
    hold: 5m
    fallback: { person: carol }
    policy: short
  news:
    address: news@example.org
    members: [dave]
    fallback: unchanged
policies:
  standard:
    until: read
    steps:
      - { name: next, after: 10m, to: next, times: 2 }
      - { name: room, after: 5m, to: { room: duty@rooms.example.org } }
      - { name: boss, after: 10m, to: { person: carol } }
  short:
    until: taken
    steps:
      - { name: next, after: 1m, to: next }
routes:
  - match: { recipient: support@example.org, subject: { prefix: 'Unwanted' } }
    reject: 'Not here'
`;
