// A process that tries to take a control socket and tells its parent how it went; stays until it is killed.
import { Hono } from 'hono';
import { serveControl } from '../../src/console/server.ts';

const [, , path = ''] = process.argv;
serveControl(
  path,
  new Hono().get('/', (c) => c.text('here')),
).then(
  () => process.send?.('serving'),
  (error: Error) => process.send?.(error.name),
);
