import { describe, expect, it } from 'vitest';
import { minute, second } from '../../../src/clock.ts';
import { silentLog } from '../../../src/log.ts';
import { Outbox, type OutboxLimits } from '../../../src/xmpp/outbox.ts';
import { capText, type Element, legalText, xml } from '../../../src/xmpp/stanza.ts';
import { settle, TestClock } from '../../support/clock.ts';

function makeOutbox(rate = 1_000_000, limits: Partial<OutboxLimits> = {}) {
  const clock = new TestClock();
  const written: Element[] = [];
  let asked = 0;
  const wire = {
    send: async (stanza: Element): Promise<void> => {
      written.push(stanza);
    },
    requestAck: (): void => {
      asked += 1;
    },
  };
  const outbox = new Outbox({ clock, log: silentLog, wire, rate, limits });
  return { clock, outbox, written, asked: () => asked };
}
const message = (id: string, body = 'x'): Element => xml('message', { id }, xml('body', {}, body));
const up = { resumed: false, acks: true };

describe('the outbox', () => {
  it('refuses while there is no session', async () => {
    const { outbox } = makeOutbox();
    await expect(outbox.send(message('1'))).rejects.toMatchObject({ reason: 'link-down' });
  });

  it('resolves with the acknowledgement, not with the writing', async () => {
    const { outbox, written, asked } = makeOutbox();
    outbox.open(up);
    const stanza = message('1');
    let sent = false;
    const sending = outbox.send(stanza).then(() => {
      sent = true;
    });
    await settle();
    expect(written).toEqual([stanza]);
    expect(asked()).toBe(1);
    expect(sent).toBe(false);
    outbox.acked(stanza);
    await sending;
  });

  it('resolves with the writing when the server has no acknowledgements', async () => {
    const { outbox } = makeOutbox();
    outbox.open({ resumed: false, acks: false });
    await outbox.send(message('1'));
  });

  it('rejects what is not acknowledged in time', async () => {
    const { clock, outbox } = makeOutbox();
    outbox.open(up);
    const sending = expect(outbox.send(message('1'))).rejects.toMatchObject({ reason: 'timeout' });
    await clock.advance(30 * second);
    await sending;
    expect(outbox.inFlight).toBe(0);
  });

  it('keeps the pace, two seconds ahead at most', async () => {
    const { clock, outbox, written } = makeOutbox(1_000, { sendWithin: minute });
    outbox.open(up);
    for (let n = 0; n < 10; n += 1) outbox.send(message(String(n), 'x'.repeat(950))).catch(() => undefined);
    await settle();
    const counts = [written.length];
    for (let n = 0; n < 4; n += 1) {
      await clock.advance(second);
      counts.push(written.length);
    }
    expect(counts).toEqual([2, 3, 4, 5, 6]);
  });

  it('holds a bounded number, waiting and in flight', async () => {
    const { outbox, written } = makeOutbox(1_000_000, { waiting: 3, inFlight: 2 });
    outbox.open(up);
    for (let n = 0; n < 5; n += 1) outbox.send(message(String(n))).catch(() => undefined);
    await settle();
    expect(written).toHaveLength(2);
    await expect(outbox.send(message('6'))).rejects.toMatchObject({ reason: 'full' });
    const [first] = written;
    if (first) outbox.acked(first);
    await settle();
    expect(written).toHaveLength(3);
  });

  it('tells what was in flight to be lost with the session, but not when it was resumed', async () => {
    const { outbox } = makeOutbox();
    outbox.open(up);
    const stanza = message('1');
    const sending = outbox.send(stanza);
    sending.catch(() => undefined);
    outbox.close();
    outbox.open({ resumed: true, acks: true });
    expect(outbox.inFlight).toBe(1);
    outbox.close();
    outbox.open(up);
    await expect(sending).rejects.toMatchObject({ reason: 'lost' });
  });

  it('refuses what three sessions were lost with, for an hour, and nothing else', async () => {
    const { clock, outbox } = makeOutbox();
    outbox.open(up);
    for (let n = 0; n < 3; n += 1) {
      const sending = outbox.send(message('bad'), 'bad');
      outbox.close();
      outbox.open(up);
      await expect(sending).rejects.toMatchObject({ reason: 'lost' });
    }
    await expect(outbox.send(message('bad'), 'bad')).rejects.toMatchObject({ reason: 'refused' });
    const good = message('good');
    const sending = outbox.send(good, 'good');
    await settle();
    outbox.acked(good);
    await sending;
    await clock.advance(60 * minute);
    outbox.send(message('bad'), 'bad').catch(() => undefined);
    await settle();
    expect(outbox.inFlight).toBe(1);
  });

  describe('a repetition with the same key', () => {
    it('of what is still on its way is not written again: one acknowledgement answers both', async () => {
      const { clock, outbox, written } = makeOutbox();
      outbox.open(up);
      const first = expect(outbox.send(message('n1'), 'n1')).rejects.toMatchObject({
        reason: 'timeout',
        unsent: false,
      });
      await clock.advance(30 * second);
      await first;
      const again = outbox.send(message('n1'), 'n1');
      await settle();
      expect(written).toHaveLength(1);
      outbox.acked(written[0] as Element);
      await again;
      expect(outbox.inFlight).toBe(0);
    });

    it('of what was taken late is known to be there', async () => {
      const { clock, outbox, written } = makeOutbox();
      outbox.open(up);
      outbox.send(message('n1'), 'n1').catch(() => undefined);
      await clock.advance(30 * second);
      outbox.acked(written[0] as Element);
      await outbox.send(message('n1'), 'n1');
      expect(written).toHaveLength(1);
    });

    it('is written when the session was lost with the first, or when it says something else', async () => {
      const { clock, outbox, written } = makeOutbox();
      outbox.open(up);
      outbox.send(message('n1'), 'n1').catch(() => undefined);
      await clock.advance(30 * second);
      outbox.send(message('n1', 'more'), 'n1').catch(() => undefined);
      await settle();
      expect(written).toHaveLength(2);
      outbox.close();
      outbox.open(up);
      outbox.send(message('n1'), 'n1').catch(() => undefined);
      await settle();
      expect(written).toHaveLength(3);
    });

    it('of what still waits for its turn waits with it, and only the last to give up takes it away', async () => {
      const { clock, outbox, written } = makeOutbox(1);
      outbox.open(up);
      outbox.send(message('x'.repeat(200))).catch(() => undefined);
      const first = expect(outbox.send(message('n1'), 'n1')).rejects.toMatchObject({ reason: 'timeout', unsent: true });
      await clock.advance(10 * second);
      const second_ = expect(outbox.send(message('n1'), 'n1')).rejects.toMatchObject({ unsent: true });
      await clock.advance(20 * second);
      await first;
      expect(outbox.waiting).toBe(1);
      await clock.advance(10 * second);
      await second_;
      expect(outbox.waiting).toBe(0);
      expect(written).toHaveLength(1);
    });
  });

  it('refuses a stanza that would end the stream', async () => {
    const { outbox } = makeOutbox();
    outbox.open(up);
    await expect(outbox.send(message('1', 'x'.repeat(70_000)))).rejects.toMatchObject({ reason: 'too-large' });
  });

  it('lets nobody wait for ever when it stops', async () => {
    const { outbox } = makeOutbox(1);
    outbox.open(up);
    const both = [outbox.send(message('1')), outbox.send(message('2'))];
    outbox.stop();
    for (const sending of both) await expect(sending).rejects.toMatchObject({ reason: 'link-down' });
  });
});

describe('text', () => {
  it.each([
    ['plain', 'plain'],
    ['a\u0000\u0001\u0008\u000b\u000c\u001fb', 'ab'],
    ['tab\tnewline\r\nold\rnew\n', 'tab\tnewline\nold\nnew\n'],
    ['a\ud800b\udc00c', 'abc'],
    ['kept: \ufffd \u{1f44b}', 'kept: \ufffd \u{1f44b}'],
    ['\ufffe\uffff', ''],
  ])('%j can be carried as %j', (text, legal) => {
    expect(legalText(text)).toBe(legal);
  });

  it.each([
    ['short', 10, 'short'],
    ['1234567890', 10, '1234567890'],
    ['12345678901', 10, '1234567…'],
    ['ééééé', 9, 'ééé…'],
    ['ééééé', 8, 'éé…'],
    ['👋👋👋', 11, '👋👋…'],
    ['👋👋👋', 10, '👋…'],
  ])('%j in %d octets is %j', (text, octets, capped) => {
    expect(capText(text, octets)).toBe(capped);
  });
});
