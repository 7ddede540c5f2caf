import { StoreUnavailableError } from '../errors.js'
import type { JsonObject, Resources } from '../model/json.js'
import type { StoredToken } from '../model/record.js'
import type { Catalogue, ScopeSet } from '../policy/catalogue.js'
import { isInstant } from '../policy/instant.js'
import { compileNetworks } from '../policy/network.js'
import type { Lifecycle } from '../policy/status.js'
import { packDigest } from '../token/packed-digest.js'

const DAY_MS = 86_400_000
/** Stored as the day of expiry if there is no expiry. */
const NEVER = -1
/** Stored as the day of expiry if the expiry is unreadable, which refuses the token. */
const UNREADABLE = -2

/**
 * A record as verification needs it, with only the data for the decision and the principal.
 *
 * It is small, because a cache contains so many of them: tokens share one object for the data that they have in common, and an expiry is two small
 * integers, which engines store inline. One large number would be a separate object.
 */
export class Entry {
  readonly id: string
  /** In the form that `packDigest` returns. */
  readonly digest: string
  readonly name: string
  readonly tenantId: string | undefined
  readonly parts: Parts
  /** The owner if `parts.owned`, otherwise the creator. */
  private readonly person: string
  /** The day on which the token expires, counted from the epoch; or `NEVER`, or `UNREADABLE`. */
  private readonly day: number
  /** Twice the millisecond of that day, plus one while `visited` is true. */
  private time: number
  /** Where the usage recorder counts uses of this token. Only the recorder accesses it. */
  slot: unknown = undefined

  constructor(record: StoredToken, scopes: ScopeSet) {
    const { expiresAt, ownerId, createdBy } = record
    this.id = record.id
    this.digest = packDigest(record.digest)
    this.name = record.name
    this.tenantId = shared(record.tenantId)
    this.person = shared(ownerId ?? createdBy)
    this.parts = partsOf(record, scopes)
    const instant = expiresAt !== undefined && isInstant(expiresAt)
    this.day = instant ? Math.floor(expiresAt / DAY_MS) : expiresAt === undefined ? NEVER : UNREADABLE
    this.time = instant ? 2 * Math.floor(expiresAt % DAY_MS) : 0
  }

  get ownerId(): string | undefined {
    return this.parts.owned ? this.person : undefined
  }

  get createdBy(): string {
    return this.parts.createdBy ?? this.person
  }

  get scopes(): ScopeSet {
    return this.parts.scopes
  }

  get expiresAt(): number | undefined {
    if (this.day >= 0) return this.day * DAY_MS + (this.time >> 1)
    return this.day === NEVER ? undefined : Number.NaN
  }

  /** The second-chance bit, which the cache sets when the entry is used. */
  get visited(): boolean {
    return (this.time & 1) === 1
  }

  set visited(visited: boolean) {
    this.time = visited ? this.time | 1 : this.time & ~1
  }

  /** The instants that limit the token's validity. Returns the entry itself, because a separate object would cost too much memory. */
  get lifecycle(): Lifecycle {
    return this
  }

  get revokedAt(): number | undefined {
    return this.parts.revokedAt
  }

  get deactivatedAt(): number | undefined {
    return this.parts.deactivatedAt
  }

  get notBefore(): number | undefined {
    return this.parts.notBefore
  }

  /** The first token of its lineage. Absent: it was never rotated. */
  get rootId(): string | undefined {
    return this.parts.rootId
  }
}

/** The parts that a token shares with many others, and parts that few tokens have. A token with rare parts has a separate object. */
export type Parts = {
  readonly scopes: ScopeSet
  /** Whether the token has an owner. */
  readonly owned: boolean
  /** Absent if the owner created the token, or if it has no owner. */
  readonly createdBy: string | undefined
  readonly revokedAt: number | undefined
  readonly deactivatedAt: number | undefined
  readonly notBefore: number | undefined
  readonly rootId: string | undefined
  /** The token carries its owner's scopes in place of its own. */
  readonly inherit: boolean
  /** Whether a rotation replaced the token. */
  readonly replaced: boolean
  readonly resources: Resources | undefined
  readonly metadata: JsonObject | undefined
  /** The format that the token was imported in. Absent: it was created here. */
  readonly importedFrom: string | undefined
  /** Its slow hash, until it is replaced by a digest. */
  readonly importedHash: string | undefined
  /** The keyed fingerprint of the row that this hash was imported from. */
  readonly importedMark: string | undefined
  /** Returns whether an address is allowed. If absent, every address is allowed. */
  readonly allowsIp: ((ip: string | undefined) => boolean) | undefined
}

/** Returns the ID of the first token in this token's lineage. */
export function rootIdOf({ id, rootId }: { readonly id: string; readonly rootId?: string | undefined }): string {
  return rootId ?? id
}

const MAX_COMMON = 20_000

/** Interned names of tenants and people. Each record contains new strings, but one copy of a name is enough. */
const names: Map<string, string> = new Map()

function shared<T extends string | undefined>(text: T): T {
  if (typeof text !== 'string') return text
  const known = names.get(text)
  if (known !== undefined) return known as T
  if (names.size >= MAX_COMMON) names.clear()
  names.set(text, text)
  return text
}

/** The shared parts of tokens without rare parts, by scopes and then by `createdBy`, or by `false` for tokens without an owner. */
let common: WeakMap<ScopeSet, Map<string | undefined | false, Parts>> = new WeakMap()
let commonCount = 0

function partsOf(record: StoredToken, scopes: ScopeSet): Parts {
  const parts = compileParts(record, scopes)
  if (!isCommon(parts)) return parts
  const key = parts.owned && parts.createdBy
  const ofScopes = common.get(scopes)
  const known = ofScopes?.get(key)
  if (known !== undefined) return known
  if (commonCount >= MAX_COMMON) {
    common = new WeakMap([[scopes, new Map([[key, parts]])]])
    commonCount = 0
  } else if (ofScopes === undefined) common.set(scopes, new Map([[key, parts]]))
  else ofScopes.set(key, parts)
  commonCount += 1
  return parts
}

/** Checks every field, so that a new field is never shared by mistake. */
function isCommon(parts: Parts): boolean {
  for (const name in parts) {
    const part = parts[name as keyof Parts]
    if (part !== undefined && part !== false && !(name === 'scopes' || name === 'owned' || name === 'createdBy')) return false
  }
  return true
}

/**
 * Creates the cache entry for a record.
 *
 * @throws StoreUnavailableError `store_unavailable`, if the record is corrupt
 */
export function compileEntry(record: StoredToken, catalogue: Catalogue): Entry {
  try {
    return new Entry(record, catalogue.resolve(record.scopes))
  } catch {
    throw new StoreUnavailableError('the store returned an unusable record')
  }
}

function compileParts(record: StoredToken, scopes: ScopeSet): Parts {
  const { allowedIps, ownerId, createdBy } = record
  return {
    scopes,
    owned: ownerId !== undefined,
    createdBy: ownerId === undefined || ownerId === createdBy ? undefined : shared(createdBy),
    revokedAt: record.revokedAt,
    deactivatedAt: record.deactivatedAt,
    notBefore: record.notBefore,
    rootId: shared(record.rootId),
    inherit: record.inherit === true,
    replaced: record.replacedById !== undefined,
    resources: frozen(record.resources),
    metadata: frozen(record.metadata),
    importedFrom: shared(record.importedFrom),
    importedHash: record.importedHash,
    importedMark: record.importedHash === undefined ? undefined : record.requestHash,
    allowsIp: allowedIps === undefined ? undefined : compileNetworks(allowedIps),
  }
}

// Handlers receive these objects. A handler that modifies them must not affect the next request.
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
