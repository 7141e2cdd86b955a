import type { JsonSchema } from './json-schema.ts';

/** What of a value does not fit a schema, with the place of each. */
export function schemaProblems(value: unknown, schema: JsonSchema, named: Readonly<Record<string, JsonSchema>>, at = '$'): string[] {
  if ('$ref' in schema) {
    const found = named[schema.$ref.replace('#/components/schemas/', '')];
    return found === undefined ? [`${at}: there is no ${schema.$ref}`] : schemaProblems(value, found, named, at);
  }
  if (value === null) return schema.nullable === true ? [] : [`${at}: null`];
  switch (schema.type) {
    case 'string':
      if (typeof value !== 'string') return [`${at}: no text but ${typeof value}`];
      return schema.enum === undefined || schema.enum.includes(value) ? [] : [`${at}: ${value} is none of ${schema.enum.join(', ')}`];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${at}: no boolean but ${typeof value}`];
    case 'number':
    case 'integer':
      return typeof value === 'number' && (schema.type === 'number' || Number.isInteger(value))
        ? []
        : [`${at}: no ${schema.type}: ${JSON.stringify(value)}`];
    case 'array':
      if (!Array.isArray(value)) return [`${at}: no array`];
      return value.flatMap((item, index) => schemaProblems(item, schema.items, named, `${at}[${index}]`));
    default: {
      if (typeof value !== 'object' || Array.isArray(value)) return [`${at}: no object`];
      const { properties = {}, required = [], additionalProperties = true } = schema;
      const missing = required.filter((key) => !Object.hasOwn(value, key)).map((key) => `${at}: ${key} is missing`);
      const wrong = Object.entries(value).flatMap(([key, item]) => {
        const own = Object.hasOwn(properties, key) ? properties[key] : undefined;
        if (own !== undefined) return schemaProblems(item, own, named, `${at}.${key}`);
        if (additionalProperties === false) return [`${at}: ${key} is in no schema`];
        return additionalProperties === true ? [] : schemaProblems(item, additionalProperties, named, `${at}.${key}`);
      });
      return [...missing, ...wrong];
    }
  }
}
