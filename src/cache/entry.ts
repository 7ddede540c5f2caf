import { StoreUnavailableError } from '../errors.js'
import type { JsonObject, Resources } from '../model/json.js'
import type { StoredToken } from '../model/record.js'
import type { Catalogue, ScopeSet } from '../policy/catalogue.js'
import { compileNetworks } from '../policy/network.js'
import type { Lifecycle } from '../policy/status.js'

/**
 * A record as verification reads it: what the decision and the principal need, and nothing else.
 *
 * Kept lean because a cache holds very many of them: what tokens have in common is shared, what few have stands apart.
 */
export type Entry = {
  readonly id: string
  readonly digest: string
  readonly name: string
  readonly tenantId: string | undefined
  readonly ownerId: string | undefined
  readonly createdBy: string
  /** The first token of its line of rotations. Absent: it was never rotated. */
  readonly rootId: string | undefined
  readonly scopes: ScopeSet
  readonly lifecycle: Lifecycle
  /** Fields that most tokens do not have. */
  readonly optional: OptionalParts | undefined
  /** Second-chance bit of the cache. */
  visited: boolean
  /** Where uses of this token are being counted; belongs to the usage recorder. */
  slot: unknown
}

/** The less common parts of a record. */
export type OptionalParts = {
  /** The token carries its owner's scopes in place of its own. */
  readonly inherit: boolean
  /** Was it rotated? */
  readonly replaced: boolean
  readonly resources: Resources | undefined
  readonly metadata: JsonObject | undefined
  /** Is this address allowed? Absent: every address is. */
  readonly allowsIp: ((ip: string | undefined) => boolean) | undefined
}

/** The first token of this one's line of rotations. */
export function rootIdOf({ id, rootId }: { readonly id: string; readonly rootId?: string | undefined }): string {
  return rootId ?? id
}

const ALWAYS: Lifecycle = Object.freeze({})

/** Tenants and people that many tokens have in common, by name: each record comes with strings of its own, and one copy is enough. */
const common: Map<string, string> = new Map()
const MAX_COMMON = 20_000

function shared<T extends string | undefined>(text: T): T {
  if (typeof text !== 'string') return text
  const known = common.get(text)
  if (known !== undefined) return known as T
  if (common.size >= MAX_COMMON) common.clear()
  common.set(text, text)
  return text
}

/**
 * Makes the entry of a record.
 *
 * @throws StoreUnavailableError `store_unavailable`, for a record that nothing can be decided by
 */
export function compileEntry(record: StoredToken, catalogue: Catalogue): Entry {
  try {
    return entryOf(record, catalogue)
  } catch {
    throw new StoreUnavailableError('the store answered a record that cannot be decided by')
  }
}

function entryOf(record: StoredToken, catalogue: Catalogue): Entry {
  return {
    id: record.id,
    digest: record.digest,
    name: record.name,
    tenantId: shared(record.tenantId),
    ownerId: shared(record.ownerId),
    createdBy: shared(record.createdBy),
    rootId: shared(record.rootId),
    scopes: catalogue.resolve(record.scopes),
    lifecycle: compileLifecycle(record),
    optional: compileOptional(record),
    visited: false,
    slot: undefined,
  }
}

function compileLifecycle({ revokedAt, deactivatedAt, notBefore, expiresAt }: StoredToken): Lifecycle {
  if (revokedAt === undefined && deactivatedAt === undefined && notBefore === undefined && expiresAt === undefined) return ALWAYS
  // The common case, in the smallest object there is.
  if (expiresAt !== undefined && revokedAt === undefined && deactivatedAt === undefined && notBefore === undefined) return { expiresAt }
  return {
    ...(revokedAt !== undefined && { revokedAt }),
    ...(deactivatedAt !== undefined && { deactivatedAt }),
    ...(notBefore !== undefined && { notBefore }),
    ...(expiresAt !== undefined && { expiresAt }),
  }
}

function compileOptional(record: StoredToken): OptionalParts | undefined {
  const { inherit, replacedById, resources, metadata, allowedIps } = record
  const parts = [inherit, replacedById, resources, metadata, allowedIps]
  if (parts.every((part) => part === undefined)) return undefined
  return {
    inherit: inherit === true,
    replaced: replacedById !== undefined,
    resources: frozen(resources),
    metadata: frozen(metadata),
    allowsIp: allowedIps === undefined ? undefined : compileNetworks(allowedIps),
  }
}

// Handlers get these objects; one that writes to them must not change what the next request sees.
function frozen<T extends Resources | JsonObject>(value: T | undefined): T | undefined {
  return value === undefined ? undefined : deepFreeze(structuredClone(value))
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const item of Object.values(value)) deepFreeze(item)
    Object.freeze(value)
  }
  return value
}
