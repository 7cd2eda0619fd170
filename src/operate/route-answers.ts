// What a front door would do with a mail, for those who only ask.
import type { Advisor } from '../intake.ts';
import { formatReply } from '../mail/reply.ts';
import type { RouteAnswer, RouteQuestion } from '../operations.ts';

export function routeAnswers(
  advisor: Pick<Advisor, 'plan' | 'preview'>,
  { from, to, header }: RouteQuestion,
  rulesVersion: string,
): readonly RouteAnswer[] {
  const client = { address: '127.0.0.1', port: 0, helo: 'api', tls: false, carriesMembers: false };
  const envelope = {
    reversePath: from,
    forwardPaths: to.map((mailbox) => ({ mailbox })),
    body: '8BITMIME',
    smtputf8: true,
  } as const;
  const planned = advisor.plan(client, envelope, Buffer.from(header));
  const nothing = { decision: 'pass', because: ['no rule concerns it'], considered: [], rulesVersion } as const;
  if (planned === null) return to.map((mailbox) => ({ ...nothing, to: mailbox, mailbox }));
  return advisor.preview(planned).map(({ plan, choice, headers }): RouteAnswer => {
    const common = {
      to: plan.address,
      rulesVersion: plan.rulesVersion,
      considered: choice?.considered ?? [],
      because: [...plan.because, ...(choice?.because ?? [])],
      ...(headers.length > 0 ? { addHeaders: headers.map(([name, value]) => ({ name, value })) } : {}),
    };
    if (plan.kind === 'reject') return { ...common, decision: 'reject', reply: formatReply(plan.reply) };
    if (plan.kind === 'pass' || choice === null) return { ...common, decision: 'pass', mailbox: plan.address };
    const { group } = plan;
    if (plan.mode === 'observe') return { ...common, decision: 'pass', group, mailbox: plan.address };
    if (choice.kind === 'hold') return { ...common, decision: 'hold', group, until: choice.until };
    if (choice.kind === 'fallback' && choice.refusal)
      return { ...common, decision: 'reject', group, reply: formatReply(choice.refusal) };
    const person = choice.person === undefined ? {} : { person: choice.person };
    const also = choice.also ? { also: choice.also.map(({ mailbox }) => mailbox) } : {};
    return { ...common, ...person, ...also, decision: choice.kind, group, mailbox: choice.mailbox };
  });
}

/** What concerns the mail and the people; the rest is operate/overseeing.ts. */
