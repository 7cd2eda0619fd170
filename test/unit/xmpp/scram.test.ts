import { describe, expect, it } from 'vitest';
import { Scram } from '../../../src/xmpp/scram.ts';

const credentials = { username: 'user', password: 'pencil' };

describe('SCRAM', () => {
  // RFC 5802 §5.
  it('SHA-1 gives the proof of the RFC, and knows the server by its signature', async () => {
    const scram = new Scram('SCRAM-SHA-1', 'fyko+d2lbbFgONRv9qkxdawL');
    expect(await scram.response(credentials)).toBe('n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL');
    scram.challenge('r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096');
    expect(await scram.response(credentials)).toBe(
      'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    );
    expect(scram.serverProved('v=rmF9pqV8S7suAoZWja4dJRkFsKQ=')).toBe(true);
    expect(scram.serverProved('v=rmF9pqV8S7suAoZWja4dJRkFsLQ=')).toBe(false);
    expect(scram.serverProved('')).toBe(false);
  });

  // RFC 7677 §3.
  it('SHA-256 likewise', async () => {
    const scram = new Scram('SCRAM-SHA-256', 'rOprNGfwEbeRWgbNEkqO');
    await scram.response(credentials);
    scram.challenge('r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096');
    expect(await scram.response(credentials)).toBe(
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    );
    expect(scram.serverProved('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')).toBe(true);
  });

  it.each([
    ['r=other,s=QSXC,i=4096', /nonce/],
    ['r=mine,s=QSXC,i=4096', /nonce/],
    ['r=mine2,s=,i=4096', /not readable/],
    ['r=mine2,s=QSXC,i=1', /iterations/],
    ['r=mine2,s=QSXC,i=100000000', /iterations/],
    ['r=mine2,s=QSXC', /iterations/],
    ['m=x,r=mine2,s=QSXC,i=4096', /extension/],
    ['', /not readable/],
  ])('the challenge %j is refused', async (challenge, why) => {
    const scram = new Scram('SCRAM-SHA-1', 'mine');
    await scram.response(credentials);
    scram.challenge(challenge);
    await expect(scram.response(credentials)).rejects.toThrow(why);
  });

  it('has not been given a proof before there was one to ask for', () => {
    expect(new Scram('SCRAM-SHA-1').serverProved('v=')).toBe(false);
  });
});
