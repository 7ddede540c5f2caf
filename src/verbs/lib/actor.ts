import { GrantDeniedError, InvalidInputError } from '../../errors.js'
import type { Actor } from '../../model/actor.js'
import { ERASED } from '../../model/event.js'
import type { Resources } from '../../model/json.js'
import { endingsOf, isOwnActor } from '../../model/own-actor.js'
import { ownFields } from '../../model/own-fields.js'
import type { Known } from '../../model/presenter.js'
import type { Reach, StoredToken } from '../../model/record.js'
import type { Catalogue } from '../../policy/catalogue.js'
import { normalizeIp } from '../../policy/network.js'
import { plainText } from '../../policy/option-kinds.js'
import { either, listOf, OptionReader, objectOf, oneOf, readBy, readPart, string } from '../../policy/option-reader.js'
import { whyNotPlain } from '../../policy/plain-text.js'
import { refuseLostLimits } from '../../policy/read-input.js'
import { reading } from '../../policy/reading.js'
import { readResources, resourcesWithin } from '../../policy/resource.js'
import { groupOf } from '../../verify/store-turns.js'

/** An actor that was validated once: complete, copied, frozen, and independent of the caller's object. */
export type ReadActor = {
  readonly id: string
  /** Absent: every tenant, and tokens without a tenant. */
  readonly tenants: readonly string[] | undefined
  readonly manages: 'own' | 'all'
  /** Absent: may grant the whole catalogue. */
  readonly scopes: readonly string[] | undefined
  readonly resources: Resources | undefined
  readonly ip: string | undefined
  /** For the holder of a token: the IDs of the other tokens that also end its credential, because they may have the same secret. */
  readonly endsWith?: readonly string[] | undefined
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

/** Omitting these two means "no limit", so a misspelled name or a lost value must be refused. */
const LIMITS = ['scopes', 'resources'] as const

/**
 * Databases limit the number of parameters in a query (32,766 in SQLite), and some queries name the tenants twice. For longer lists, use an actor that sees
 * every tenant, or several requests.
 */
const MOST_TENANTS = 10_000
const TENANTS = "must be a list of tenant IDs, each a non-empty string, or '*' for all"
/** Tenants whose IDs were already checked, because an actor may name thousands with every call. */
const checked = new Set<string>()
const MOST_CHECKED = 2 * MOST_TENANTS
const LONGEST_CHECKED = 200
const tenant = string().refusedFor((value) => {
  if (checked.has(value)) return undefined
  const why = whyNotPlain(value, 1, Number.POSITIVE_INFINITY)
  if (why !== undefined || value.length > LONGEST_CHECKED) return why
  if (checked.size === MOST_CHECKED) checked.clear()
  checked.add(value)
  return undefined
})
/** Reads a list of tenants, or `*` for all. */
export const tenantsReader: OptionReader<'*' | string[]> = either([oneOf(['*'], TENANTS), listOf(tenant)], TENANTS)
const READER = objectOf(
  {
    id: plainText(1, 200),
    tenants: tenantsReader,
    manages: oneOf(['own', 'all'], "must be 'own' or 'all'"),
    scopes: listOf(string(), { error: 'must be a list of scopes; omit it for an actor that may grant every scope' }).optional(),
    resources: readBy((input) => readResources([], input)).optional(),
    // An invalid address is left out of the audit log, and affects no decision.
    ip: new OptionReader(normalizeIp),
  },
  { others: 'drop' },
)

/**
 * IDs that only latchkey itself writes into the audit log: those of a token's holder, an OAuth client, a command-line user, a sender of leak reports, and an
 * anonymous caller.
 */
const RESERVED = /^(?:token|client|cli|leaks):|^anonymous$/

/**
 * Validates an actor. A missing or incomplete actor is an error, never "unrestricted", and a string is never an actor.
 *
 * @throws InvalidInputError `invalid_input`, with field `actor`
 */
export function readActor(input: unknown): ReadActor {
  if (input === undefined || input === null) throw new InvalidInputError('actor', `is missing: say who is acting, as in ${WHOLE}`)
  if (typeof input !== 'object' || Array.isArray(input)) {
    throw new InvalidInputError('actor', `must be ${WHOLE}, not ${typeof input === 'object' ? 'a list' : `a ${typeof input}`}`)
  }
  if ('then' in input) throw new InvalidInputError('actor', `must be ${WHOLE}, not a promise: await it`)
  reading('actor', () => refuseLostLimits(input, LIMITS, 'actor'))
  const { id, tenants, manages, scopes, resources, ip } = readPart('actor', READER, input)
  if (tenants !== '*' && tenants.length > MOST_TENANTS) {
    const most = MOST_TENANTS.toLocaleString('en')
    throw new InvalidInputError(
      'actor.tenants',
      `names ${tenants.length.toLocaleString('en')} tenants, but the limit is ${most}: name those that the request is about, or '*' for all`,
    )
  }
  if (id === 'system') throw new InvalidInputError('actor.id', '"system" is the application itself, which acts through tokens.system')
  if (RESERVED.test(id) && !isOwnActor(input)) {
    throw new InvalidInputError(
      'actor.id',
      'is reserved: latchkey writes "token:", "client:", "cli:", "leaks:" and "anonymous" itself; use a different prefix',
    )
  }
  if (id === ERASED) throw new InvalidInputError('actor.id', `"${ERASED}" is the ID of every erased person; use a different ID`)
  return Object.freeze({
    id,
    tenants: tenants === '*' ? undefined : Object.freeze([...tenants]),
    manages,
    scopes: scopes && Object.freeze([...scopes]),
    resources,
    ip,
    endsWith: endingsOf(input),
  })
}

/** Returns the name under which an actor's calls are queued. Actors of the same tenants form a group. */
export function turnsOf(actor: Pick<ReadActor, 'id' | 'tenants'>): Known {
  const { id, tenants } = actor
  if (actor === SYSTEM) return { id, unlimited: true }
  // Tokens without a tenant, which anyone may hold.
  if (tenants === undefined && isHolder(actor)) return { id, group: 'tokens' }
  return { id, group: groupOf(tenants ?? []) }
}

/**
 * Returns whether this ID identifies no particular person in the audit log, because it stands for the application, a token, an unknown caller, or everyone who
 * was erased.
 */
export function isNobody(id: string): boolean {
  return id === SYSTEM.id || id === ERASED || id === 'anonymous' || isHolder({ id })
}

/** Checks whether the actor is the holder of a token, acting with that token alone. Only latchkey itself creates such actors. */
export function isHolder({ id }: Pick<ReadActor, 'id'>): boolean {
  return id.startsWith('token:')
}

/** Converts the actor back to the form that hosts write. */
export function publicActor(actor: ReadActor): Actor {
  const { id, tenants, manages, scopes, resources, ip } = actor
  return ownFields({
    id,
    tenants: tenants ?? '*',
    manages,
    ...(scopes !== undefined && { scopes }),
    ...(resources !== undefined && { resources }),
    ...(ip !== undefined && { ip }),
  })
}

/** Checks whether the actor can see, and so manage, this token. */
export function canSee(actor: ReadActor, token: Partial<Pick<StoredToken, 'tenantId' | 'createdBy'>>): boolean {
  if (actor.manages === 'own' && token.createdBy !== actor.id) return false
  if (actor.tenants === undefined) return true
  return token.tenantId !== undefined && actor.tenants.includes(token.tenantId)
}

/**
 * Refuses an actor that cannot see every token of every tenant. The message begins with `what`.
 *
 * @throws GrantDeniedError `grant_denied`, with field `actor`
 */
export function checkSeesAll(actor: ReadActor, what: string): void {
  if (reachOf(actor) !== 'all') throw new GrantDeniedError('actor', `${what} requires an actor who manages all tokens of all tenants`)
}

/**
 * Refuses an operation on a tenant that the actor does not manage. Without a tenant, the operation concerns all tenants.
 *
 * @throws GrantDeniedError `grant_denied`, with field `tenantId`
 */
export function checkTenant(actor: ReadActor, tenantId: string | undefined): void {
  if (actor.tenants === undefined) return
  if (tenantId === undefined) throw new GrantDeniedError('tenantId', "omitting it means every tenant, which requires tenants: '*'")
  if (!actor.tenants.includes(tenantId)) throw new GrantDeniedError('tenantId', 'is not one of yours')
}

const REACHES: readonly Reach[] = ['own', 'tenant', 'all']

/** Returns the reach of an actor. */
export function reachOf(actor: ReadActor): Reach {
  if (actor.manages === 'own') return 'own'
  return actor.tenants === undefined ? 'all' : 'tenant'
}

/** Checks whether the actor's reach is at least this wide. An unknown reach counts as the widest. */
export function reachesAsFarAs(actor: ReadActor, reach: Reach | undefined): boolean {
  if (reach === undefined) return true
  const asked = REACHES.indexOf(reach)
  return REACHES.indexOf(reachOf(actor)) >= (asked === -1 ? REACHES.length - 1 : asked)
}

/**
 * Checks whether the actor's reach is wider than this. Without a stored reach, no particular actor stopped the token, so every actor's reach counts as wider.
 */
export function reachesBeyond(actor: ReadActor, reach: Reach | undefined): boolean {
  return reach === undefined || (REACHES.includes(reach) && REACHES.indexOf(reachOf(actor)) > REACHES.indexOf(reach))
}

/** The permissions that a token grants. */
export type Grant = {
  readonly tenantId: string | undefined
  readonly ownerId: string | undefined
  readonly scopes: readonly string[]
  readonly resources: Resources | undefined
}

/** The permissions that a change keeps or narrows. They are not granted again. */
export type Kept = {
  readonly scopes: readonly string[]
  /** Whether the token has no wider reach than before, and no new scope. */
  readonly reach: boolean
}

/**
 * Refuses to let an actor grant more than it has. Permissions that the token already has and keeps are allowed.
 *
 * @throws GrantDeniedError `grant_denied`, with the field
 */
export function checkGrant(catalogue: Catalogue, actor: ReadActor, wanted: Grant, kept?: Kept): void {
  if (actor.tenants !== undefined && (wanted.tenantId === undefined || !actor.tenants.includes(wanted.tenantId))) {
    const why = wanted.tenantId === undefined ? 'a token without a tenant is valid for all tenants: name' : 'this is not'
    throw new GrantDeniedError('tenantId', `${why} one of your tenants`)
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
