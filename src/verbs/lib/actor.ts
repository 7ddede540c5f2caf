import { GrantDeniedError, InvalidInputError } from '../../errors.js'
import type { Actor } from '../../model/actor.js'
import { ERASED } from '../../model/event.js'
import type { Resources } from '../../model/json.js'
import { isOwnActor } from '../../model/own-actor.js'
import type { Reach, StoredToken } from '../../model/record.js'
import type { Catalogue } from '../../policy/catalogue.js'
import { normalizeIp } from '../../policy/network.js'
import { plainText } from '../../policy/option-kinds.js'
import { either, listOf, OptionReader, objectOf, oneOf, readBy, readPart, string } from '../../policy/option-reader.js'
import { reading } from '../../policy/reading.js'
import { readResources, resourcesWithin } from '../../policy/resource.js'
import { closest } from '../../policy/suggest.js'

/** An actor that has been read once: complete, copied, frozen, and no longer the caller's object. */
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

/** Left out, these two mean "no limit", so that neither may be misspelled or lost on the way. */
const LIMITS = ['scopes', 'resources'] as const

const TENANTS = "must be a list of tenant ids, or '*' for all"
const tenant = plainText(1, Number.POSITIVE_INFINITY)
const READER = objectOf(
  {
    id: plainText(1, 200),
    tenants: either([oneOf(['*'], TENANTS), listOf(tenant)], TENANTS),
    manages: oneOf(['own', 'all'], "must be 'own' or 'all'"),
    scopes: listOf(string(), { error: 'must be a list of scopes; omit it for an actor that may grant every scope' }).optional(),
    resources: readBy((input) => readResources([], input)).optional(),
    // An address that is none is not told in the audit; it decides nothing.
    ip: new OptionReader(normalizeIp),
  },
  { others: 'drop' },
)

/** Ids that latchkey itself writes into the audit: of a token's holder, an OAuth client, a user of the command line, and nobody in particular. */
const RESERVED = /^(?:token|client|cli):|^anonymous$/

/**
 * Reads an actor, once. Absent or incomplete is an error, never "unrestricted", and text is never an actor.
 *
 * @throws InvalidInputError `invalid_input`, field `actor`
 */
export function readActor(input: unknown): ReadActor {
  if (input === undefined || input === null) throw new InvalidInputError('actor', `is missing: say who is acting, as in ${WHOLE}`)
  if (typeof input !== 'object' || Array.isArray(input)) {
    throw new InvalidInputError('actor', `must be ${WHOLE}, not ${typeof input === 'object' ? 'a list' : `a ${typeof input}`}`)
  }
  if ('then' in input) throw new InvalidInputError('actor', `must be ${WHOLE}, not a promise: await it`)
  reading('actor', () => refuseLostLimits(input))
  const { id, tenants, manages, scopes, resources, ip } = readPart('actor', READER, input)
  if (id === 'system') throw new InvalidInputError('actor.id', '"system" is the application itself, which acts through tokens.system')
  if (RESERVED.test(id) && !isOwnActor(input)) {
    throw new InvalidInputError(
      'actor.id',
      'is reserved: latchkey writes "token:", "client:", "cli:" and "anonymous" itself; use another prefix',
    )
  }
  if (id === ERASED) throw new InvalidInputError('actor.id', `"${ERASED}" stands for whoever was erased`)
  return Object.freeze({
    id,
    tenants: tenants === '*' ? undefined : Object.freeze([...tenants]),
    manages,
    scopes: scopes && Object.freeze([...scopes]),
    resources,
    ip,
  })
}

/** The same actor as hosts write it. */
export function publicActor(actor: ReadActor): Actor {
  const { id, tenants, manages, scopes, resources, ip } = actor
  return {
    id,
    tenants: tenants ?? '*',
    manages,
    ...(scopes !== undefined && { scopes }),
    ...(resources !== undefined && { resources }),
    ...(ip !== undefined && { ip }),
  }
}

/** May this actor see, and so manage, this token? */
export function canSee(actor: ReadActor, token: Pick<StoredToken, 'tenantId' | 'createdBy'>): boolean {
  if (actor.manages === 'own' && token.createdBy !== actor.id) return false
  if (actor.tenants === undefined) return true
  return token.tenantId !== undefined && actor.tenants.includes(token.tenantId)
}

/**
 * Refuses an actor that does not see every tenant and every token.
 *
 * @throws GrantDeniedError `grant_denied`, field `actor`
 */
export function checkSeesAll(actor: ReadActor, why: string): void {
  if (reachOf(actor) !== 'all') throw new GrantDeniedError('actor', why)
}

/**
 * Refuses what concerns a tenant that the actor does not manage; without a tenant, what concerns all of them.
 *
 * @throws GrantDeniedError `grant_denied`, field `tenantId`
 */
export function checkTenant(actor: ReadActor, tenantId: string | undefined): void {
  if (actor.tenants === undefined) return
  if (tenantId === undefined) throw new GrantDeniedError('tenantId', "leaving it out means every tenant, which needs tenants: '*'")
  if (!actor.tenants.includes(tenantId)) throw new GrantDeniedError('tenantId', 'is not one of yours')
}

const REACHES: readonly Reach[] = ['own', 'tenant', 'all']

/** How far an actor reaches. */
export function reachOf(actor: ReadActor): Reach {
  if (actor.manages === 'own') return 'own'
  return actor.tenants === undefined ? 'all' : 'tenant'
}

/** Does the actor reach at least as far as this? A reach that is not known is the greatest. */
export function reachesAsFarAs(actor: ReadActor, reach: Reach | undefined): boolean {
  if (reach === undefined) return true
  const asked = REACHES.indexOf(reach)
  return REACHES.indexOf(reachOf(actor)) >= (asked === -1 ? REACHES.length - 1 : asked)
}

/** Does the actor reach further than this? Without a reach nobody in particular is behind it. */
export function reachesBeyond(actor: ReadActor, reach: Reach | undefined): boolean {
  return reach === undefined || (REACHES.includes(reach) && REACHES.indexOf(reachOf(actor)) > REACHES.indexOf(reach))
}

/** The permissions that a token hands out. */
export type Grant = {
  readonly tenantId: string | undefined
  readonly ownerId: string | undefined
  readonly scopes: readonly string[]
  readonly resources: Resources | undefined
}

/** The permissions that a change keeps or narrows. They are not handed out anew. */
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
    const which = wanted.tenantId === undefined ? 'a token without a tenant is valid for all tenants' : 'this is not one of them'
    throw new GrantDeniedError('tenantId', `you act in ${actor.tenants.length} tenant(s), and ${which}: name one of yours`)
  }
  if (actor.manages === 'own' && wanted.ownerId !== actor.id && kept?.reach !== true) {
    throw new GrantDeniedError('ownerId', 'you can create only tokens that you own yourself')
  }
  if (actor.scopes !== undefined) {
    const beyond = catalogue.grantable(actor.scopes, wanted.scopes, kept?.scopes ?? [])
    if (beyond !== undefined) throw new GrantDeniedError('scopes', `you do not have ${JSON.stringify(beyond)}, so you cannot grant it`)
  }
  if (actor.resources !== undefined && kept?.reach !== true && !resourcesWithin(wanted.resources, actor.resources)) {
    throw new GrantDeniedError('resources', 'these allow more than your own')
  }
}

function refuseLostLimits(actor: object): void {
  for (const limit of LIMITS) {
    if (limit in actor) {
      if (Reflect.get(actor, limit) !== undefined) continue
      throw new InvalidInputError(`actor.${limit}`, 'is undefined: omit it for an actor without this limit, or check where it comes from')
    }
    const slip = Reflect.ownKeys(actor).find((key) => typeof key === 'string' && closest(key, [limit]) !== undefined)
    if (slip !== undefined) throw new InvalidInputError(['actor', slip], `unknown field; did you mean "${limit}"?`)
  }
}
