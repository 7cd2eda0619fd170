// The API as an OpenAPI 3.1 document and as a page for people: made of the very endpoints that are served.
import * as answers from './answers.ts';
import { deskEndpoints } from './desk-endpoints.ts';
import type { Described } from './endpoint.ts';
import { mailEndpoints } from './mail-endpoints.ts';
import type { Json } from './schema.ts';

export const endpoints: readonly Described[] = [...mailEndpoints, ...deskEndpoints].toSorted((a, b) =>
  a.path === b.path ? (a.method < b.method ? -1 : 1) : a.path < b.path ? -1 : 1,
);

const template = (path: string): string => path.replaceAll(/:(\w+)/g, '{$1}');
const namesIn = (path: string): readonly string[] => [...path.matchAll(/:(\w+)/g)].map((match) => match[1] ?? '');

export function openApi(version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const each of endpoints) {
    const path = `/api/v1${template(each.path)}`;
    paths[path] = { ...paths[path], [each.method]: operation(each) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Pointsman',
      version,
      description: 'On the control socket; over TCP with a token what its scopes say, see docs/reference/api.md.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: 'http://localhost' }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: answers.error },
    },
  };
}

function operation({ method, path, scope, summary, parameters, query, body, answer, stream }: Described): Json {
  const type = stream ? 'text/event-stream' : 'application/json';
  const error = { content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } } };
  return {
    operationId: `${method}${path.replaceAll(/[^A-Za-z]+(\w?)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary,
    description: `Scope: ${scope}.`,
    parameters: [
      ...namesIn(path).map((name) => ({
        ...{ name, in: 'path', required: true },
        schema: parameters?.[name]?.json ?? { type: 'string' },
      })),
      ...queryOf(query?.json).map(({ name, required, schema }) => ({ name, in: 'query', required, schema })),
    ],
    ...(body ? { requestBody: { required: true, content: { 'application/json': { schema: body.json } } } } : {}),
    responses: {
      '200': { description: summary, content: { [type]: { schema: answer } } },
      '400': { description: 'What was asked does not make sense; the message says why.', ...error },
      '401': { description: 'Over TCP: no token, or one that does not count.', ...error },
      '403': { description: 'Over TCP: the token has other scopes, or a page of another origin asks.', ...error },
      '404': { description: 'There is no such thing.', ...error },
      '409': { description: 'It cannot be done as things stand; the message says why.', ...error },
      '413': { description: 'The body is too large.', ...error },
      '422': { description: 'The rules are not right; those before stay in force.', ...error },
      '500': { description: 'A fault of ours; the log says more.', ...error },
      '503': { description: 'Too many ask at once; try again.', ...error },
    },
  };
}

function queryOf(schema: Json | undefined) {
  const properties = (schema?.properties ?? {}) as Readonly<Record<string, Json>>;
  const required = (schema?.required ?? []) as readonly string[];
  return Object.entries(properties).map(([name, one]) => ({ name, required: required.includes(name), schema: one }));
}

/** docs/reference/api-routes.md */
export function routesPage(): string {
  const rows = endpoints.map(({ method, path, scope, summary, query, body }) => {
    const takes = [
      ...queryOf(query?.json).map(({ name, required }) => (required ? `\`${name}\`` : `\`${name}\`?`)),
      ...queryOf(body?.json).map(({ name, required }) => (required ? `**${name}**` : `**${name}**?`)),
    ].join(' ');
    return `| \`${method.toUpperCase()} /api/v1${template(path)}\` | ${scope} | ${summary} | ${takes} |`;
  });
  return [
    '# Every route of the API',
    '',
    'Made from `src/console/api/` by `npx vitest run test/unit/console/openapi.test.ts -u`; do not edit. The same as an',
    'OpenAPI 3.1 document: `GET /api/v1/openapi.json`. In the last column what a query may have, and in bold what a JSON',
    'body may have; `?` where it may be left out. Times are milliseconds since 1970. Lists that may be long come in pages:',
    '`next` (or the last id) goes on where the page ended. How to reach it, and tokens: [api.md](api.md).',
    '',
    '| route | scope | what | takes |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
