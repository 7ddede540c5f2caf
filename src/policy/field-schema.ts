import * as z from 'zod'
import type { Field, FieldKind } from '../model/fields.js'
import { readDuration } from './duration.js'
import { readInstant } from './instant.js'
import { readMetadata } from './metadata.js'
import { readNetworks } from './network.js'
import { readResources } from './resource.js'
import { readWith, text } from './shape.js'

const MAX_GRANTS = 100

/** An instant, described in its JSON form. */
export const instantSchema: z.ZodType<number> = readWith((input) => readInstant([], input), {
  type: 'string',
  format: 'date-time',
  examples: ['2030-01-31T12:00:00Z'],
})

/** Creates the schema of a duration in seconds. */
export function durationSchema(limits: { readonly min?: number; readonly max?: number } = {}): z.ZodType<number> {
  const { min = 1, max } = limits
  return readWith((input) => readDuration([], input, limits), {
    anyOf: [
      { type: 'integer', minimum: min, ...(max !== undefined && { maximum: max }) },
      { type: 'string', pattern: '^[0-9]{1,10}[smhdw]$' },
    ],
    examples: ['90d'],
  })
}

/** The input schema for each kind of field that callers may set. */
const BY_KIND: { readonly [Kind in FieldKind]?: (field: Field) => z.ZodType } = {
  text: ({ min = 0, max = 200, reserved }) =>
    text(min, max).refine((value) => value !== reserved, {
      error: `must not be ${JSON.stringify(reserved)}, which marks erased data`,
    }),
  instant: () => instantSchema,
  duration: durationSchema,
  grants: () =>
    z
      .array(z.string({ error: 'must be a string' }).meta({ minLength: 1, maxLength: 129 }), { error: 'must be a list of scopes' })
      .max(MAX_GRANTS, { error: `must have at most ${MAX_GRANTS} scopes` }),
  resources: () =>
    readWith((input) => readResources([], input), {
      type: 'object',
      additionalProperties: { type: 'array', items: { type: 'string' } },
    }),
  networks: () => readWith((input) => readNetworks([], input), { type: 'array', items: { type: 'string' } }),
  json: () => readWith((input) => readMetadata([], input), { type: 'object', additionalProperties: true }),
  flag: () => z.literal(true, { error: 'must be true, or omitted' }),
}

/** Returns the input schema of a field, with its description. */
export function fieldSchema(field: Field): z.ZodType {
  const make = BY_KIND[field.kind]
  if (make === undefined) throw new TypeError(`no input sets a field of kind ${field.kind}`)
  return make(field).meta({ description: field.description })
}
