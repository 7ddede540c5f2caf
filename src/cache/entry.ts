import { StoreUnavailableError } from '../errors.js'
import type { JsonObject, Resources } from '../model/json.js'
import type { StoredToken } from '../model/record.js'
import type { Catalogue, ScopeSet } from '../policy/catalogue.js'
import { compileNetworks } from '../policy/network.js'
import type { Lifecycle } from '../policy/status.js'
import { packDigest } from '../token/packed-digest.js'

/**
 * A record as verification reads it: what the decision and the principal need, and nothing else.
 *
 * Kept lean because a cache holds very many of them: what tokens have in common is shared, what few have stands apart.
 */
export class Entry {
  readonly id: string
  /** As `packDigest` makes it. */
  readonly digest: string
  readonly name: string
  readonly tenantId: string | undefined
  readonly ownerId: string | undefined
  readonly createdBy: string
  readonly scopes: ScopeSet
  readonly expiresAt: number | undefined
  /** What most tokens do not have. */
  readonly optional: OptionalParts | undefined
  /** Second-chance bit of the cache. */
  visited = false
  /** Where uses of this token are being counted; belongs to the usage recorder. */
  slot: unknown = undefined

  constructor(record: StoredToken, scopes: ScopeSet) {
    this.id = record.id
    this.digest = packDigest(record.digest)
    this.name = record.name
    this.tenantId = shared(record.tenantId)
    this.ownerId = shared(record.ownerId)
    this.createdBy = shared(record.createdBy)
    this.scopes = scopes
    this.expiresAt = record.expiresAt
    this.optional = compileOptional(record)
  }

  /** Until when and from when the token is good: the entry itself, since another object for each would weigh too much. */
  get lifecycle(): Lifecycle {
    return this
  }

  get revokedAt(): number | undefined {
    return this.optional?.revokedAt
  }

  get deactivatedAt(): number | undefined {
    return this.optional?.deactivatedAt
  }

  get notBefore(): number | undefined {
    return this.optional?.notBefore
  }

  /** The first token of its line of rotations. Absent: it was never rotated. */
  get rootId(): string | undefined {
    return this.optional?.rootId
  }
}

/** The less common parts of a record. */
export type OptionalParts = {
  readonly revokedAt: number | undefined
  readonly deactivatedAt: number | undefined
  readonly notBefore: number | undefined
  readonly rootId: string | undefined
  /** The token carries its owner's scopes in place of its own. */
  readonly inherit: boolean
  /** Was it rotated? */
  readonly replaced: boolean
  readonly resources: Resources | undefined
  readonly metadata: JsonObject | undefined
  /** The format that the token was imported in. Absent: it was made here. */
  readonly importedFrom: string | undefined
  /** Its slow hash, until it is replaced by a digest. */
  readonly importedHash: string | undefined
  /** Is this address allowed? Absent: every address is. */
  readonly allowsIp: ((ip: string | undefined) => boolean) | undefined
}

/** The first token of this one's line of rotations. */
export function rootIdOf({ id, rootId }: { readonly id: string; readonly rootId?: string | undefined }): string {
  return rootId ?? id
}

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
    return new Entry(record, catalogue.resolve(record.scopes))
  } catch {
    throw new StoreUnavailableError('the store returned a record that cannot be decided on')
  }
}

function compileOptional(record: StoredToken): OptionalParts | undefined {
  const {
    revokedAt,
    deactivatedAt,
    notBefore,
    rootId,
    inherit,
    replacedById,
    resources,
    metadata,
    allowedIps,
    importedFrom,
    importedHash,
  } = record
  const imported = importedFrom ?? importedHash
  const parts = [revokedAt, deactivatedAt, notBefore, rootId, inherit, replacedById, resources, metadata, allowedIps, imported]
  if (parts.every((part) => part === undefined)) return undefined
  return {
    revokedAt,
    deactivatedAt,
    notBefore,
    rootId: shared(rootId),
    inherit: inherit === true,
    replaced: replacedById !== undefined,
    resources: frozen(resources),
    metadata: frozen(metadata),
    importedFrom: shared(importedFrom),
    importedHash,
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
