/** The part of JSON Schema that the OpenAPI document of this program uses. */
export type JsonSchema =
  | { readonly $ref: string }
  | { readonly type: 'string'; readonly enum?: readonly string[]; readonly description?: string; readonly nullable?: boolean }
  | { readonly type: 'integer' | 'number' | 'boolean'; readonly description?: string; readonly nullable?: boolean }
  | { readonly type: 'array'; readonly items: JsonSchema; readonly nullable?: boolean; readonly description?: string }
  | {
      readonly type: 'object';
      readonly properties?: Readonly<Record<string, JsonSchema>>;
      readonly required?: readonly string[];
      readonly additionalProperties?: boolean | JsonSchema;
      readonly nullable?: boolean;
      readonly description?: string;
    };

export type ObjectSchema = Extract<JsonSchema, { readonly type: 'object' }>;

export const text: JsonSchema = { type: 'string' };
export const textOrNull: JsonSchema = { type: 'string', nullable: true };
export const integer: JsonSchema = { type: 'integer' };
export const integerOrNull: JsonSchema = { type: 'integer', nullable: true };
export const number: JsonSchema = { type: 'number' };
export const numberOrNull: JsonSchema = { type: 'number', nullable: true };
export const truth: JsonSchema = { type: 'boolean' };
export const texts: JsonSchema = { type: 'array', items: text };
export const textsOrNull: JsonSchema = { type: 'array', items: text, nullable: true };
/** Whatever belongs to somebody else's shape. */
export const anyObject: JsonSchema = { type: 'object', additionalProperties: true };

export function oneOf(...values: readonly string[]): JsonSchema {
  return { type: 'string', enum: values };
}

export function listOf(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

export function reference(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

/** An object with exactly these keys; those that end in `?` may be missing. */
export function object(properties: Readonly<Record<string, JsonSchema>>): ObjectSchema {
  const entries = Object.entries(properties).map(([key, schema]) => [key.replace(/\?$/, ''), schema] as const);
  return {
    type: 'object',
    properties: Object.fromEntries(entries),
    required: Object.keys(properties).filter((key) => !key.endsWith('?')),
    additionalProperties: false,
  };
}
