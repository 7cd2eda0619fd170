// A DNS server of the test's own, on a free loopback port: names of the test, and nothing of the world's.
import { Child } from './child.ts';
import { programPath } from './peers.ts';

/** @param servers domain to the port on which its XMPP server takes other servers */
export function startDns(port: number, servers: Readonly<Record<string, number>>): Child {
  const records = Object.entries(servers).flatMap(([domain, at]) => [
    `--host-record=${domain},127.0.0.1`,
    `--srv-host=_xmpp-server._tcp.${domain},${domain},${at}`,
  ]);
  const alone = ['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user='];
  const where = ['--listen-address=127.0.0.1', '--bind-interfaces', `--port=${port}`, '--pid-file='];
  return new Child('dnsmasq', [programPath('dnsmasq') ?? 'dnsmasq', ...alone, ...where, ...records]);
}
