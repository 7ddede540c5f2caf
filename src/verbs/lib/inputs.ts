import * as z from 'zod'
import { InvalidInputError } from '../../errors.js'
import { FIELD_ROWS, type Field, type FieldName } from '../../model/fields.js'
import { ownFields } from '../../model/own-fields.js'
import type { StoredToken } from '../../model/record.js'
import type { Catalogue } from '../../policy/catalogue.js'
import { durationSchema, fieldSchema } from '../../policy/field-schema.js'
import { text } from '../../policy/shape.js'

/** The table without inherited fields. */
const ROWS: readonly (readonly [FieldName, Field])[] = FIELD_ROWS.map(([name, field]) => [name, ownFields(field)] as const)

type Input = { readonly [name: string]: unknown }

const settable = (field: Field, by: 'create' | 'update'): boolean => field.set !== undefined && (by === 'create' || field.set !== 'create')

const inputNameOf = (name: FieldName, field: Field): string => field.input ?? name

const expiresIn = durationSchema().meta({ description: 'How long the token lives from now. An alternative to `expiresAt`.' }).optional()

/** Input schema of `create`. `scopes` and `inherit` are alternatives, so neither is required here. */
export const createShape: z.ZodType<Input> = z
  .strictObject({
    ...Object.fromEntries(
      ROWS.filter(([, field]) => settable(field, 'create')).map(([name, field]) => {
        const schema = fieldSchema(field)
        return [inputNameOf(name, field), field.required && name !== 'scopes' ? schema : schema.optional()]
      }),
    ),
    expiresIn,
    idempotencyKey: text(1, 255).optional(),
  })
  .meta({ id: 'CreateToken', description: 'A new token. Pass either `scopes` or `inherit`.' })

/** Input schema of `update`. */
export const updateShape: z.ZodType<Input> = z
  .strictObject({
    ...Object.fromEntries(
      ROWS.filter(([, field]) => settable(field, 'update')).map(([name, field]) => {
        const schema = fieldSchema(field)
        return [inputNameOf(name, field), field.required ? schema.optional() : schema.nullish()]
      }),
    ),
    expiresIn,
  })
  .meta({ id: 'UpdateToken', description: 'The fields to change. Omitted fields are unchanged; `null` removes a field.' })

/** Input fields. `undefined` means that the field was not passed, and `null` means that it should be removed. */
export type GivenFields = { readonly [Name in keyof StoredToken]?: StoredToken[Name] | null }

/** Returns the known fields in an input. An empty optional text counts as removed. */
export function givenFields(input: Input, by: 'create' | 'update'): GivenFields {
  const given: { [name: string]: unknown } = ownFields({})
  for (const [name, field] of ROWS) {
    if (!settable(field, by)) continue
    const value = input[inputNameOf(name, field)]
    if (value !== undefined) given[name] = value === '' && !field.required ? null : value
  }
  return given
}

/** Returns the fields that are not removed, as settings for a new token. */
export function withoutNull(given: GivenFields): Partial<StoredToken> {
  return ownFields(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null)))
}

/**
 * Returns the expiry given by either of its two inputs, or `undefined` if neither is passed.
 *
 * @throws InvalidInputError `invalid_input`, when both are passed
 */
export function endOf(input: Input, given: GivenFields, now: number): number | null | undefined {
  const { expiresIn: seconds } = input
  if (typeof seconds !== 'number') return given.expiresAt
  if (given.expiresAt != null) throw new InvalidInputError('expiresIn', 'means the same as expiresAt: pass only one of them')
  return now + seconds * 1000
}

/**
 * Reads the scopes of a token. Each must exist; duplicates are dropped.
 *
 * @throws InvalidInputError `invalid_input`, with the field
 */
export function readScopes(catalogue: Catalogue, scopes: readonly string[]): readonly string[] {
  for (const [at, scope] of scopes.entries()) {
    const problem = catalogue.whyNotGrantable(scope)
    if (problem !== undefined) throw new InvalidInputError(['scopes', at], problem)
  }
  return [...new Set(scopes)]
}

/** The limits that the `expiry` option sets on a token's life. */
export type ExpiryLimits = { readonly maxSeconds?: number; readonly required: boolean }

/**
 * Checks a token's instants against each other, the current time and the options.
 *
 * @throws InvalidInputError `invalid_input`, with the field
 */
export function checkLifetime(
  life: { readonly createdAt: number; readonly notBefore?: number; readonly expiresAt?: number },
  now: number,
  limits: ExpiryLimits,
): void {
  const { createdAt, notBefore, expiresAt } = life
  if (expiresAt === undefined) {
    if (limits.required) throw new InvalidInputError('expiresAt', 'is required: pass expiresAt or expiresIn')
    if (limits.maxSeconds !== undefined) {
      throw new InvalidInputError('expiresAt', `is required here, because tokens can last at most ${limits.maxSeconds} seconds`)
    }
    return
  }
  if (!(now < expiresAt)) throw new InvalidInputError('expiresAt', `is ${new Date(expiresAt).toISOString()}, which is not in the future`)
  if (notBefore !== undefined && !(notBefore < expiresAt)) throw new InvalidInputError('notBefore', 'must be before expiresAt')
  if (limits.maxSeconds !== undefined && !(expiresAt - createdAt <= limits.maxSeconds * 1000)) {
    throw new InvalidInputError('expiresAt', `exceeds the longest lifetime allowed here, ${limits.maxSeconds} seconds from creation`)
  }
}
