// As much of JSON Schema as the schema of the sandbox's lines uses. What it does not know it refuses, so that nobody
// writes a rule into the schema that nothing checks.
type Schema = Readonly<Record<string, unknown>>;

const known = new Set([
  ...['$schema', 'title', 'const', 'enum', 'type', 'format', 'minimum', 'maximum'],
  ...['properties', 'required', 'additionalProperties', 'items', 'oneOf'],
]);

/** What is wrong, each with its path; empty when the value fits. */
export function mismatches(value: unknown, schema: Schema, path = '$'): readonly string[] {
  const strange = Object.keys(schema).filter((key) => !known.has(key));
  if (strange.length > 0) throw new Error(`the checker does not know ${strange.join(', ')}`);
  const wrong: string[] = [];
  const say = (text: string) => void wrong.push(`${path}: ${text}`);
  if ('const' in schema && value !== schema.const) say(`is not ${JSON.stringify(schema.const)}`);
  if (Array.isArray(schema.enum) && !schema.enum.includes(value)) say(`is none of ${JSON.stringify(schema.enum)}`);
  if (schema.type !== undefined && ![schema.type].flat().some((type) => isOfType(value, type))) {
    return [...wrong, `${path}: is not of type ${JSON.stringify(schema.type)}`];
  }
  if (typeof value === 'number') {
    if (value < Number(schema.minimum ?? value) || value > Number(schema.maximum ?? value)) say('is out of range');
  }
  if (schema.format === 'date-time' && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(String(value)))
    say('is no moment');
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries())
      wrong.push(...mismatches(item, (schema.items ?? {}) as Schema, `${path}[${index}]`));
  } else if (typeof value === 'object' && value !== null && schema.properties) {
    const properties = schema.properties as Readonly<Record<string, Schema>>;
    for (const key of (schema.required ?? []) as string[]) if (!(key in value)) say(`lacks ${key}`);
    for (const [key, inner] of Object.entries(value)) {
      const rule = properties[key];
      if (rule) wrong.push(...mismatches(inner, rule, `${path}.${key}`));
      else say(`has the unknown key ${key}`);
    }
  }
  if (Array.isArray(schema.oneOf)) {
    const tries = schema.oneOf.map((one: Schema) => mismatches(value, one, path));
    if (tries.filter((found) => found.length === 0).length !== 1) {
      // The nearest alternative is the one with the same event.
      say('fits not exactly one of the alternatives');
      wrong.push(...(tries.find((found) => !found.some((text) => text.startsWith(`${path}.event:`))) ?? []));
    }
  }
  return wrong;
}

function isOfType(value: unknown, type: unknown): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isSafeInteger(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}
