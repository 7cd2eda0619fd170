// Rule files are edited while mail flows from Postfix through Pointsman to Postfix: a change of two files, a broken
// one, one that is written bit by bit, two files put in place at once, and SIGHUP. No mail is lost, and none is planned
// under half a set: what the one file says of a mail (a header) and what the other says (where it goes) always belong
// together, and to the version that stands with its decision.
import { chmod, mkdir, open, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFailed, test } from 'vitest';
import { loadRules } from '../../src/routing/load.ts';
import { freePorts } from '../support/free-port.ts';
import { mailWith } from '../support/live-site.ts';
import { requirePeer } from '../support/peers.ts';
import { PointsmanProcess } from '../support/pointsman-process.ts';
import { documented, Postfix, postfixMayRun } from '../support/postfix.ts';
import { SteadyFlow } from '../support/steady-flow.ts';
import { tempFolder } from '../support/temp-folder.ts';

const sets = [1, 2, 3, 4, 5] as const;
type RuleSet = (typeof sets)[number];

/** Two files that belong together: one says where it goes, the other marks it. */
const filesOf = (set: RuleSet): Readonly<Record<string, string>> => ({
  '10-all.yaml': `people:
  anna: { mail: anna@example.test }
groups:
  support:
    address: support@example.test
    members: [anna]
    fallback: { mailbox: box${set}@example.test }
    policy: none
`,
  '20-routes.yaml': `routes:
  - name: marked ${set}
    match: { recipient: support@example.test }
    addHeader: { X-Set: '${set}' }
`,
});

/** What Pointsman will call the set: over the same names in a folder of the same name. */
async function versionOf(set: RuleSet): Promise<string> {
  await using folder = await tempFolder('version');
  const rules = join(folder.path, 'rules');
  await mkdir(rules, { mode: 0o700 });
  for (const [name, text] of Object.entries(filesOf(set))) await writeFile(join(rules, name), text, { mode: 0o600 });
  const loaded = await loadRules(rules);
  if (!loaded.rules) throw new Error(JSON.stringify(loaded.problems));
  return loaded.rules.version;
}

describe.runIf(requirePeer('postfix') && postfixMayRun())('rules that change while mail flows', () => {
  const undo = new AsyncDisposableStack();
  let postfix: Postfix;
  let pointsman: PointsmanProcess;
  let inPort: number;
  let versions: ReadonlyMap<RuleSet, string>;

  beforeAll(async () => {
    versions = new Map(await Promise.all(sets.map(async (set) => [set, await versionOf(set)] as const)));
    const [port, smtpPort, backPort, httpPort] = (await freePorts(4)) as [number, number, number, number];
    const ports = { 10025: smtpPort, 10026: backPort };
    inPort = port;
    pointsman = undo.use(
      await PointsmanProcess.configure({
        smtpPort,
        httpPort,
        nextHopPort: backPort,
        domains: ['example.test'],
        rules: filesOf(1)['10-all.yaml'] ?? '',
      }),
    );
    await put('20-routes.yaml', filesOf(1)['20-routes.yaml']);
    await pointsman.start();
    postfix = undo.use(
      await Postfix.start({
        name: 'reload',
        port,
        main: `myhostname = reload.test
virtual_mailbox_domains = example.test
relay_domains = desk.example.test
${documented('front main.cf', ports)}`,
        master: `127.0.0.1:${port} inet n - n - 10 smtpd
${documented('front master.cf', ports)}${documented('back master.cf', ports)}`,
        files: { 'pointsman-groups': documented('front pointsman-groups', ports) },
        mailboxes: ['support@example.test', ...sets.map((set) => `box${set}@example.test`)],
      }),
    );
  });
  afterAll(() => undo.disposeAsync());

  const at = (name: string) => join(pointsman.rulesFolder, name);
  async function put(name: string, text = ''): Promise<void> {
    await writeFile(at(name), text);
    await chmod(at(name), 0o600);
  }
  const inForce = (set: RuleSet) =>
    pointsman.logged(
      `set ${set} in force`,
      ({ msg, rules }) => msg === 'rules in force' && rules === versions.get(set),
    );

  test('every mail arrives, and under one whole set', async () => {
    onTestFailed(async () => console.log(pointsman.log.tail(), (await postfix.log()).slice(-3000)));
    const flow = new SteadyFlow({
      port: inPort,
      every: 15,
      compose: (subject) => ({ to: 'support@example.test', content: mailWith(subject, 'support@example.test') }),
    });
    const boxes = new Map(sets.map((set) => [set, postfix.maildir(`box${set}@example.test`).mails]));
    const count = () => [...boxes.values()].reduce((sum, box) => sum + box.seen().length, 0);
    /** Some more have come: the set that is in force now has been at work. */
    const more = async (some = 8) => {
      // Counted, not awaited box by box: of those waits one would end, and the others take mails that come later.
      const enough = count() + some;
      const deadline = Date.now() + 20_000;
      while (count() < enough) {
        if (Date.now() > deadline) throw new Error(`within 20 s ${count()} mails came, not ${enough}`);
        await pause(20);
      }
    };
    flow.start({ lanes: 3 });
    await more();

    // An admin saves one file, and then the other.
    await put('10-all.yaml', filesOf(2)['10-all.yaml']);
    await pause(150); // as long as it takes to change to the other window; shorter than Pointsman waits
    await put('20-routes.yaml', filesOf(2)['20-routes.yaml']);
    await inForce(2);
    await more();

    // A slip of the pen.
    await put('10-all.yaml', filesOf(3)['10-all.yaml']?.replace('members:', 'membres:'));
    await pointsman.logged('refused', ({ msg }) => msg === 'the last good rules stay in force');
    await more();
    const { problems } = await pointsman.client.status();
    expect(problems.join('\n')).toContain('membres');

    // Mended, by an editor that writes bit by bit; each half of it would be read as a file of its own.
    await writeFile(at('10-all.yaml'), '');
    await using file = await open(at('10-all.yaml'), 'a');
    for (const line of (filesOf(3)['10-all.yaml'] ?? '').split(/(?<=\n)/)) {
      await file.appendFile(line);
      await pause(80);
    }
    await put('20-routes.yaml', filesOf(3)['20-routes.yaml']);
    await inForce(3);
    await more();

    // Both put in place at once, as a deployment does.
    for (const [name, text] of Object.entries(filesOf(4))) await put(`.${name}.new`, text);
    await Promise.all(Object.keys(filesOf(4)).map((name) => rename(at(`.${name}.new`), at(name))));
    await inForce(4);
    await more();

    // And one that does not want to wait.
    for (const [name, text] of Object.entries(filesOf(5))) await put(`.${name}.new`, text);
    await Promise.all(Object.keys(filesOf(5)).map((name) => rename(at(`.${name}.new`), at(name))));
    pointsman.signal('SIGHUP');
    await inForce(5);
    await more();
    await flow.stop();

    // All of them, each once.
    await more(flow.accepted.length - count());
    const all = [...boxes].flatMap(([set, box]) => box.seen().map((mail) => ({ set, mail })));
    expect(all.map(({ mail }) => mail.subject).sort()).toEqual(flow.accepted.map(({ subject }) => subject).sort());
    expect(all.length).toBeGreaterThan(50);
    for (const [set, box] of boxes) expect(box.seen().length, `set ${set}`).toBeGreaterThan(0);
    // Each is marked by the set that sent it there, and its decision names that set's version.
    for (const { set, mail } of all) {
      const marks = mail.headers.filter(([name]) => name === 'x-set').map(([, value]) => value);
      expect(marks, mail.subject).toEqual([String(set)]);
    }
    const recorded = await pointsman.client.recorded({ since: 0, until: Date.now() + 1000, limit: 5000 });
    // And an admin asks what the rules that are in force now would have made of all of it.
    const replayed = JSON.parse(
      await pointsman.cli('replay', '--since', '1h', '--rules', pointsman.rulesFolder, '--json'),
    ) as {
      mails: number;
      differences: { subject: string; before: { where: string }; after: { where: string } }[];
    };
    expect(replayed.mails).toBe(all.length);
    const others = all.filter(({ set }) => set !== 5);
    expect(replayed.differences.map(({ subject }) => subject).sort()).toEqual(
      others.map(({ mail }) => mail.subject).sort(),
    );
    expect(new Set(replayed.differences.map(({ after }) => after.where))).toEqual(
      new Set(['to box5@example.test (fallback)']),
    );
    const idOf = new Map(recorded.map(({ facts }) => [facts.subject, facts.queueId]));
    for (const { set, mail } of all) {
      const explained = await pointsman.client.explain(idOf.get(mail.subject) ?? '');
      expect(
        explained.map(({ decision }) => decision.plan.rulesVersion),
        mail.subject,
      ).toEqual([versions.get(set)]);
    }
  }, 60_000);
});
