import { ConflictError, InvalidInputError } from '../errors.js'
import { ownFields } from '../model/own-fields.js'
import type { StoredToken, TokenRecord } from '../model/record.js'
import { membershipIn } from '../policy/membership.js'
import { networksWithin } from '../policy/network.js'
import { resourcesWithin } from '../policy/resource.js'
import { readShape } from '../policy/shape.js'
import type { Context } from '../verify/context.js'
import type { Kept, ReadActor } from './lib/actor.js'
import { auditEvent, changedFields } from './lib/audit.js'
import { capsOnEdit } from './lib/caps.js'
import { changeToken, readVersion, withChanges } from './lib/change.js'
import { checkHandout } from './lib/handout.js'
import { checkLifetime, endOf, type GivenFields, givenFields, readScopes, updateShape } from './lib/inputs.js'

/**
 * Changes a token's settings. Revoked tokens cannot be changed.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws NotFoundError `not_found`
 * @throws GrantDeniedError `grant_denied`, when the actor would grant more than it has
 * @throws ConflictError `conflict`, when the token is revoked or `version` is stale; `token_limit_reached`, when an edit would extend a token that has expired
 * or expires within ten minutes, and the limit is exceeded with that token
 */
export async function update(context: Context, actor: ReadActor, id: unknown, changes: unknown, options: unknown): Promise<TokenRecord> {
  refuseSeparate(changes)
  const given = readShape(updateShape, changes, 'update()')
  const version = readVersion(options)
  const fields = givenFields(given, 'update')
  const scopes = fields.scopes == null ? undefined : readScopes(context.settings.catalogue, fields.scopes)
  return changeToken(context, id, actor, version, 'edit', async (current, now) => {
    if (current.revokedAt !== undefined) throw new ConflictError('conflict', 'this token is revoked, so it cannot be changed')
    if (scopes !== undefined && current.inherit === true) {
      throw new InvalidInputError('scopes', "cannot be set: this token inherits its owner's permissions")
    }
    const expiresAt = endOf(given, fields, now)
    const asked = ownFields({ ...fields, ...(scopes !== undefined && { scopes }), ...(expiresAt !== undefined && { expiresAt }) })
    const next = withChanges(current, now, { ...removing(asked), ...rotationDue(asked, current, now) })
    if (changedFields(current, next).length === 0) return undefined
    await checkTerms(context, actor, current, next, now)
    return {
      caps: capsOnEdit(context, current, next, now),
      record: next,
      event: auditEvent('token.updated', actor, now, { before: current, after: next }),
    }
  })
}

// Changes of the status and the owner have their own verbs, so `update` refuses them.
function refuseSeparate(changes: unknown): void {
  if (Object.hasOwn(Object(changes), 'ownerId'))
    throw new InvalidInputError('ownerId', 'cannot be changed: rotate the token with the new ownerId')
  if (Object.hasOwn(Object(changes), 'tenantId'))
    throw new InvalidInputError('tenantId', 'cannot be changed: create a token in the other tenant')
  const field = ['status', 'active', 'enabled', 'disabled', 'revoked'].find((name) => Object.hasOwn(Object(changes), name))
  if (field !== undefined) throw new InvalidInputError(field, 'unknown field: activate, deactivate and revoke are separate calls')
}

// In the input, `null` removes a field; in a change, `undefined` does.
function removing(fields: GivenFields): Partial<Record<keyof StoredToken, unknown>> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value ?? undefined]))
}

function rotationDue({ rotateEverySeconds }: GivenFields, current: StoredToken, now: number): { rotationDueAt?: number | undefined } {
  if (rotateEverySeconds === null) return { rotationDueAt: undefined }
  if (rotateEverySeconds === undefined || rotateEverySeconds === current.rotateEverySeconds || current.replacedById !== undefined) return {}
  return { rotationDueAt: now + rotateEverySeconds * 1000 }
}

async function checkTerms(context: Context, actor: ReadActor, current: StoredToken, next: StoredToken, now: number): Promise<void> {
  await checkHandout(context, actor, next, keptBy(current, next))
  if (next.expiresAt === current.expiresAt && next.notBefore === current.notBefore) return
  checkLifetime(next, now, context.settings.expiry)
  if (
    current.replacedById !== undefined &&
    !(next.expiresAt !== undefined && current.expiresAt !== undefined && next.expiresAt <= current.expiresAt)
  ) {
    throw new InvalidInputError('expiresAt', 'cannot be extended: this token was rotated, and its overlap can only get shorter')
  }
}

// A kept scope counts as a new grant if the change widens the resources, the addresses or the validity period of the token. New scopes also widen its reach.
function keptBy(current: StoredToken, next: StoredToken): Kept {
  const wider =
    !resourcesWithin(next.resources, current.resources) ||
    !networksWithin(next.allowedIps, current.allowedIps) ||
    (next.expiresAt ?? Number.POSITIVE_INFINITY) > (current.expiresAt ?? Number.POSITIVE_INFINITY) ||
    (next.notBefore ?? 0) < (current.notBefore ?? 0)
  if (wider) return { scopes: [], reach: false }
  return { scopes: current.scopes, reach: next.scopes.every(membershipIn(current.scopes, next.scopes.length)) }
}
