import { GrantDeniedError, InvalidInputError } from '../../errors.js'
import type { Resources } from '../../model/json.js'
import type { StoredToken } from '../../model/record.js'
import type { Catalogue } from '../../policy/catalogue.js'
import { readResources, resourcesWithin } from '../../policy/resource.js'
import { closest } from '../../policy/suggest.js'
import { redact } from '../../token/redact.js'

/** An actor that has been looked at: complete, copied, and no longer the caller's object. */
export type ReadActor = {
  readonly id: string
  /** Absent: every tenant, and tokens without one. */
  readonly tenants: readonly string[] | undefined
  readonly manages: 'own' | 'all'
  /** Absent: may grant the whole catalogue. */
  readonly scopes: readonly string[] | undefined
  readonly resources: Resources | undefined
  readonly ip: string | undefined
}

/** The application itself. */
export const SYSTEM: ReadActor = Object.freeze({
  id: 'system',
  tenants: undefined,
  manages: 'all',
  scopes: undefined,
  resources: undefined,
  ip: undefined,
})

const WHOLE = "{ id, tenants: [...] or '*', manages: 'own' or 'all' }"
const HOW = `give { actor: 'system' }, or { actor: ${WHOLE} }`

/** What a call may say beside its input. */
const OPTIONS: ReadonlySet<PropertyKey> = new Set(['actor', 'version'])

/** Left out, these two mean "no limit", so a misspelt one must not count as left out. */
const LIMITS = ['scopes', 'resources'] as const

/**
 * Reads the actor of a change. Absent or incomplete is an error, never "unrestricted".
 *
 * @throws InvalidInputError `invalid_input`, field `actor`
 */
export function readActor(by: unknown): ReadActor {
  refuseOthers(by)
  const actor = field(by, 'actor', 'actor')
  if (actor === 'system') return SYSTEM
  if (typeof actor !== 'object' || actor === null || Array.isArray(actor)) throw new InvalidInputError('actor', `is missing: ${HOW}`)
  const id = field(actor, 'id', 'actor.id')
  if (typeof id !== 'string' || id === '' || id.length > 200)
    throw new InvalidInputError('actor.id', `must be a string of 1 to 200 characters, as in ${WHOLE}`)
  if (id === 'system') throw new InvalidInputError('actor.id', "'system' is the application itself: no person may be called so")
  const manages = field(actor, 'manages', 'actor.manages')
  if (manages !== 'own' && manages !== 'all') throw new InvalidInputError('actor.manages', "must be 'own' or 'all'")
  refuseMisspelt(actor)
  const ip = field(actor, 'ip', 'actor.ip')
  const resources = 'resources' in actor ? readResources('actor.resources', field(actor, 'resources', 'actor.resources')) : undefined
  return {
    id,
    tenants: readTenants(field(actor, 'tenants', 'actor.tenants')),
    manages,
    scopes: readScopes(actor),
    resources,
    ip: typeof ip === 'string' ? ip.slice(0, 64) : undefined,
  }
}

/** As `readActor` for reads: without an `actor` key, the application itself asks. */
export function readReader(by: unknown): ReadActor {
  if (by === undefined) return SYSTEM
  refuseOthers(by)
  if (typeof by === 'object' && by !== null && !('actor' in by)) return SYSTEM
  return readActor(by)
}

/** May this actor see, and so manage, this token? */
export function canSee(actor: ReadActor, token: Pick<StoredToken, 'tenantId' | 'createdBy'>): boolean {
  if (actor.manages === 'own' && token.createdBy !== actor.id) return false
  if (actor.tenants === undefined) return true
  return token.tenantId !== undefined && actor.tenants.includes(token.tenantId)
}

/** What a token hands out. */
export type Grant = {
  readonly tenantId: string | undefined
  readonly ownerId: string | undefined
  readonly scopes: readonly string[]
  readonly resources: Resources | undefined
}

/** What a change leaves as it was, or narrows: that much is not handed out anew. */
export type Kept = {
  readonly scopes: readonly string[]
  /** Does the token reach no further than before, with no scope that it did not have? */
  readonly reach: boolean
}

/**
 * Refuses to let an actor hand out more than it has, apart from what the token has already and keeps.
 *
 * @throws GrantDeniedError `grant_denied`, with the field
 */
export function checkGrant(catalogue: Catalogue, actor: ReadActor, wanted: Grant, kept?: Kept): void {
  if (actor.tenants !== undefined && (wanted.tenantId === undefined || !actor.tenants.includes(wanted.tenantId))) {
    const which = wanted.tenantId === undefined ? 'a token without a tenant is good for all of them' : 'this is not one of them'
    throw new GrantDeniedError('tenantId', `you act in ${actor.tenants.length} tenant(s), and ${which}: name one of yours`)
  }
  if (actor.manages === 'own' && wanted.ownerId !== actor.id && kept?.reach !== true) {
    throw new GrantDeniedError('ownerId', 'you can hand out only tokens that you own yourself')
  }
  if (actor.scopes !== undefined) {
    const beyond = catalogue.grantable(actor.scopes, wanted.scopes, kept?.scopes ?? [])
    if (beyond !== undefined) throw new GrantDeniedError('scopes', `you do not hold ${JSON.stringify(beyond)}, so you cannot grant it`)
  }
  if (actor.resources !== undefined && kept?.reach !== true && !resourcesWithin(wanted.resources, actor.resources)) {
    throw new GrantDeniedError('resources', 'these reach further than your own')
  }
}

function readTenants(tenants: unknown): readonly string[] | undefined {
  if (tenants === '*') return undefined
  if (Array.isArray(tenants) && tenants.every((tenant) => typeof tenant === 'string' && tenant !== '')) return [...tenants]
  throw new InvalidInputError('actor.tenants', "must be a list of tenant ids, or '*' for all")
}

function readScopes(actor: object): readonly string[] | undefined {
  const scopes = field(actor, 'scopes', 'actor.scopes')
  if (scopes === undefined && !('scopes' in actor)) return undefined
  if (Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string')) return [...scopes]
  throw new InvalidInputError('actor.scopes', 'must be a list of scopes; leave it out for an actor that may grant every scope')
}

// `get(id, user)` for `get(id, { actor: user })` would otherwise be answered as to the application itself.
function refuseOthers(by: unknown): void {
  const other = keysOf(by).find((key) => !OPTIONS.has(key))
  if (other !== undefined)
    throw new InvalidInputError(redact(String(other)).slice(0, 64), `there is no such option beside the input: ${HOW}`)
}

function refuseMisspelt(actor: object): void {
  for (const limit of LIMITS) {
    if (limit in actor) continue
    const slip = keysOf(actor).find((key) => typeof key === 'string' && closest(key, [limit]) !== undefined)
    if (slip !== undefined) throw new InvalidInputError(`actor.${String(slip)}`, `there is no such field; did you mean "${limit}"?`)
  }
}

function keysOf(holder: unknown): readonly PropertyKey[] {
  if (typeof holder !== 'object' || holder === null) return []
  try {
    return Reflect.ownKeys(holder)
  } catch (error) {
    throw new InvalidInputError('actor', 'could not be read', error)
  }
}

function field(holder: unknown, name: string, path: string): unknown {
  try {
    return Reflect.get(Object(holder), name)
  } catch (error) {
    throw new InvalidInputError(path, 'could not be read', error)
  }
}
