// The API's document as outside tools understand it: validated against OpenAPI 3.1, and every answer against the schema
// that stands in it, by a validator that is not ours.
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

type Json = Readonly<Record<string, unknown>>;

export interface Operation {
  /** As in the document: `/api/v1/queue/{id}` */
  readonly path: string;
  readonly method: string;
  readonly scope: string;
  readonly stream: boolean;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: 'path' | 'query';
    readonly required: boolean;
    readonly schema: Json;
  }[];
  readonly body: Json | undefined;
}

/** What is wrong with it; null when nothing is. */
export async function faultsOf(document: object): Promise<string | null> {
  const { valid, errors } = await new Validator().validate(structuredClone(document) as Record<string, unknown>);
  return valid ? null : JSON.stringify(errors);
}

export class OpenApi {
  readonly operations: readonly Operation[];
  readonly #document: Json;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });

  constructor(document: Json) {
    this.#document = document;
    // The package gives its function under two names to please two kinds of import.
    (formats as unknown as (ajv: Ajv2020) => void)(this.#ajv);
    // Its references point into the document.
    this.#ajv.addSchema({ $id: 'openapi', ...document });
    const paths = document.paths as Record<string, Record<string, Json>>;
    this.operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, one]): Operation => {
        const body = one.requestBody as { content: { 'application/json': { schema: Json } } } | undefined;
        const answers = one.responses as Record<string, { content?: Json }>;
        return {
          ...{ path, method: method.toUpperCase() },
          scope: /^Scope: (\w+)\.$/.exec(String(one.description))?.[1] ?? '',
          stream: answers['200']?.content?.['text/event-stream'] !== undefined,
          parameters: one.parameters as Operation['parameters'],
          body: body?.content['application/json'].schema,
        };
      }),
    );
  }

  /** What of an answer does not fit the document; empty when all does. */
  misfits({ path, method }: Pick<Operation, 'path' | 'method'>, status: number, answer: unknown): readonly string[] {
    const one = (this.#document.paths as Record<string, Record<string, Json>>)[path]?.[method.toLowerCase()];
    if (!one || !Object.hasOwn(one.responses as object, String(status)))
      return [`${method} ${path} has no answer ${status}`];
    const pointer = ['paths', path, method.toLowerCase(), 'responses', String(status), 'content', 'application/json'];
    const fits = this.#ajv.getSchema(
      `openapi#/${[...pointer, 'schema'].map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`,
    );
    if (!fits) return [`${method} ${path} has no schema for ${status}`];
    return fits(answer) ? [] : (fits.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
  }
}
