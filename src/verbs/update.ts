import { ConflictError, InvalidInputError } from '../errors.js'
import type { StoredToken, TokenRecord } from '../model/record.js'
import { networksWithin } from '../policy/network.js'
import { resourcesWithin } from '../policy/resource.js'
import { readShape } from '../policy/shape.js'
import type { Context } from '../verify/context.js'
import { checkGrant, type Kept, type ReadActor, readActor } from './lib/actor.js'
import { auditEvent, changedFields } from './lib/audit.js'
import { changeToken, withChanges } from './lib/change.js'
import { checkLifetime, readScopes, readTerms, type Terms, type UpdateShape, updateShape } from './lib/inputs.js'

/**
 * Edits a token's terms; refused once it is revoked.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws NotFoundError `not_found`
 * @throws GrantDeniedError `grant_denied`, when the actor would hand out more than it has
 * @throws ConflictError `conflict`, when the token is revoked or `version` is stale
 */
export async function update(context: Context, id: unknown, changes: unknown, by: unknown): Promise<TokenRecord> {
  const actor = readActor(by)
  const given = readShape(updateShape, changes, 'update()')
  const terms = readTerms(given)
  const scopes = given.scopes === undefined ? undefined : readScopes(context.settings.catalogue, given.scopes)
  return changeToken(context, id, actor, Reflect.get(Object(by), 'version'), (current, now) => {
    if (current.revokedAt !== undefined) throw new ConflictError('conflict', 'this token is revoked, and a revoked token stays as it was')
    const next = withChanges(current, now, collect(given, terms, scopes, current, now))
    if (changedFields(current, next).length === 0) return undefined
    checkTerms(context, actor, current, next, now)
    return { record: next, event: auditEvent('token.updated', actor, now, { before: current, after: next }) }
  })
}

// `undefined` in the input leaves a field as it is; in what is collected here it removes the field.
function collect(
  given: UpdateShape,
  terms: Terms,
  scopes: readonly string[] | undefined,
  current: StoredToken,
  now: number,
): Partial<Record<keyof StoredToken, unknown>> {
  const changes: Partial<Record<keyof StoredToken, unknown>> = {}
  if (given.name !== undefined) changes.name = given.name
  if (scopes !== undefined) changes.scopes = scopes
  for (const [field, value] of Object.entries(terms)) {
    if (value !== undefined) changes[field as keyof Terms] = value ?? undefined
  }
  const { rotateEverySeconds } = terms
  if (rotateEverySeconds === null) changes.rotationDueAt = undefined
  else if (rotateEverySeconds !== undefined && rotateEverySeconds !== current.rotateEverySeconds && current.replacedById === undefined) {
    changes.rotationDueAt = now + rotateEverySeconds * 1000
  }
  return changes
}

function checkTerms(context: Context, actor: ReadActor, current: StoredToken, next: StoredToken, now: number): void {
  const { catalogue } = context.settings
  checkGrant(
    catalogue,
    actor,
    { tenantId: next.tenantId, ownerId: next.ownerId, scopes: next.scopes, resources: next.resources },
    keptBy(current, next),
  )
  if (next.expiresAt === current.expiresAt && next.notBefore === current.notBefore) return
  checkLifetime(next as Parameters<typeof checkLifetime>[0], now, context.settings)
  if (
    current.replacedById !== undefined &&
    !(next.expiresAt !== undefined && current.expiresAt !== undefined && next.expiresAt <= current.expiresAt)
  ) {
    throw new InvalidInputError('expiresAt', 'cannot be extended: this token was rotated, and the overlap never grows')
  }
}

// Scopes that stay go further in a token that reaches, lives or is let in further than before; so does a wide reach under a new scope.
function keptBy(current: StoredToken, next: StoredToken): Kept {
  const wider =
    !resourcesWithin(next.resources, current.resources) ||
    !networksWithin(next.allowedIps, current.allowedIps) ||
    (next.expiresAt ?? Number.POSITIVE_INFINITY) > (current.expiresAt ?? Number.POSITIVE_INFINITY) ||
    (next.notBefore ?? 0) < (current.notBefore ?? 0)
  if (wider) return { scopes: [], reach: false }
  return { scopes: current.scopes, reach: next.scopes.every((scope) => current.scopes.includes(scope)) }
}
