import * as z from 'zod'
import { InvalidInputError } from '../../errors.js'
import type { JsonObject, Resources } from '../../model/json.js'
import type { Catalogue } from '../../policy/catalogue.js'
import { readInstant, readSeconds } from '../../policy/instant.js'
import { readMetadata } from '../../policy/metadata.js'
import { readNetworks } from '../../policy/network.js'
import { readResources } from '../../policy/resource.js'
import { text } from '../../policy/shape.js'

const MAX_GRANTS = 100
const MAX_ROTATION_SECONDS = 3_155_760_000

const anything = z.unknown().optional()

/** The field shapes that create and update share; what they mean is read below. */
const described = {
  description: text(0, 1000).nullish(),
  scopes: z.array(z.string({ error: 'must be a string' }), { error: 'must be a list of scopes' }).max(MAX_GRANTS, {
    error: `must be at most ${MAX_GRANTS} scopes`,
  }),
  resources: anything,
  expiresAt: anything,
  notBefore: anything,
  allowedIps: anything,
  rotateEverySeconds: anything,
  metadata: anything,
}

/** What `create` accepts. */
export const createShape: z.ZodType<CreateShape> = z.strictObject({
  ...described,
  name: text(1, 200),
  tenantId: text(1, 200).optional(),
  ownerId: text(1, 200).optional(),
  ttlSeconds: anything,
  idempotencyKey: text(1, 255).optional(),
})

/** What `update` accepts. */
export const updateShape: z.ZodType<UpdateShape> = z.strictObject({
  ...described,
  name: text(1, 200).optional(),
  scopes: described.scopes.optional(),
})

/** Shapes whose inner values are read by the rules of `readTerms`. */
type Described = {
  description?: string | null | undefined
  resources?: unknown
  expiresAt?: unknown
  notBefore?: unknown
  allowedIps?: unknown
  rotateEverySeconds?: unknown
  metadata?: unknown
}

/** The shape of `create`'s input. */
export type CreateShape = Described & {
  name: string
  scopes: string[]
  tenantId?: string | undefined
  ownerId?: string | undefined
  ttlSeconds?: unknown
  idempotencyKey?: string | undefined
}

/** The shape of `update`'s changes. */
export type UpdateShape = Described & { name?: string | undefined; scopes?: string[] | undefined }

/** The terms of a token as they are kept. `undefined`: not given; `null`: to be removed. */
export type Terms = {
  readonly description: string | null | undefined
  readonly resources: Resources | null | undefined
  readonly expiresAt: number | null | undefined
  readonly notBefore: number | null | undefined
  readonly allowedIps: readonly string[] | null | undefined
  readonly rotateEverySeconds: number | null | undefined
  readonly metadata: JsonObject | null | undefined
}

/**
 * Reads the terms that create and update have in common.
 *
 * @throws InvalidInputError `invalid_input`, with the field
 */
export function readTerms(given: Described): Terms {
  return {
    description: given.description === '' ? null : given.description,
    resources: given.resources == null ? given.resources : readResources('resources', given.resources),
    expiresAt: given.expiresAt == null ? given.expiresAt : readInstant('expiresAt', given.expiresAt),
    notBefore: given.notBefore == null ? given.notBefore : readInstant('notBefore', given.notBefore),
    allowedIps: given.allowedIps == null ? given.allowedIps : readNetworks('allowedIps', given.allowedIps),
    rotateEverySeconds:
      given.rotateEverySeconds == null
        ? given.rotateEverySeconds
        : readSeconds('rotateEverySeconds', given.rotateEverySeconds, { min: 1, max: MAX_ROTATION_SECONDS }),
    metadata: given.metadata == null ? given.metadata : readMetadata('metadata', given.metadata),
  }
}

/**
 * Reads the scopes of a token: each must exist, repeats are dropped.
 *
 * @throws InvalidInputError `invalid_input`, with the field
 */
export function readScopes(catalogue: Catalogue, scopes: readonly string[]): readonly string[] {
  for (const [at, scope] of scopes.entries()) {
    const problem = catalogue.problemWith(scope)
    if (problem !== undefined) throw new InvalidInputError(`scopes.${at}`, problem)
  }
  return [...new Set(scopes)]
}

/** The limits that the options set on a token's life. */
export type Limits = { readonly maxTtlSeconds: number | undefined; readonly requireExpiry: boolean }

/**
 * Checks a token's instants against each other, the present and the options.
 *
 * @throws InvalidInputError `invalid_input`, with the field
 */
export function checkLifetime(
  life: { readonly createdAt: number; readonly notBefore: number | undefined; readonly expiresAt: number | undefined },
  now: number,
  limits: Limits,
): void {
  const { createdAt, notBefore, expiresAt } = life
  if (expiresAt === undefined) {
    if (limits.requireExpiry) throw new InvalidInputError('expiresAt', 'is required here: give expiresAt or ttlSeconds')
    if (limits.maxTtlSeconds !== undefined) {
      throw new InvalidInputError('expiresAt', `is required here, because tokens live at most ${limits.maxTtlSeconds} seconds`)
    }
    return
  }
  if (!(now < expiresAt)) throw new InvalidInputError('expiresAt', `is ${new Date(expiresAt).toISOString()}, which is not in the future`)
  if (notBefore !== undefined && !(notBefore < expiresAt)) throw new InvalidInputError('notBefore', 'must lie before expiresAt')
  if (limits.maxTtlSeconds !== undefined && !(expiresAt - createdAt <= limits.maxTtlSeconds * 1000)) {
    throw new InvalidInputError('expiresAt', `is beyond the longest life allowed here, ${limits.maxTtlSeconds} seconds from creation`)
  }
}
