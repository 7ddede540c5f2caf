import type { StoredEvent } from '../../../src/model/event.js'
import type { StoredToken } from '../../../src/model/record.js'

const HASH_TAG = /^[^{]*\{[^}]+\}/

/** The message for an invalid key prefix. */
export const KEY_PREFIX = 'must be 1 to 200 characters, such as acme: or {acme}:, with braces only around a hash tag'

/** Returns whether this is a valid prefix for keys. */
export function isKeyPrefix(value: unknown): boolean {
  if (typeof value !== 'string' || value === '' || value.length > 200) return false
  return HASH_TAG.test(value) || !/[{}]/.test(value)
}

/** Returns the root of all key names, with a hash tag, so that a cluster keeps them in one slot. */
export function rootOf(keyPrefix = '{latchkey}:'): string {
  return HASH_TAG.test(keyPrefix) ? keyPrefix : `{${keyPrefix}}:`
}

// Index names end in a JSON array: names and tenants that contain separators, quotes or brackets can never be confused.

export const prefixIndex = (prefix: string): string => `l:${JSON.stringify([prefix])}`
export const tenantIndex = (prefix: string, tenantId: string): string => `l:${JSON.stringify([prefix, 'tenant', tenantId])}`
export const ownerIndex = (prefix: string, ownerId: string): string => `l:${JSON.stringify([prefix, 'owner', ownerId])}`
export const creatorIndex = (prefix: string, createdBy: string): string => `l:${JSON.stringify([prefix, 'creator', createdBy])}`
export const lineageIndex = (prefix: string, rootId: string): string => `l:${JSON.stringify([prefix, 'lineage', rootId])}`
export const importedIndex = (prefix: string): string => `l:${JSON.stringify([prefix, 'imported'])}`

/** An owner within one tenant, or among the tokens that have none. */
export const personIndex = (prefix: string, tenantId: string | undefined, ownerId: string): string =>
  `l:${JSON.stringify([prefix, 'person', tenantId ?? null, ownerId])}`

/** A sorted list of indexes that exist, one for each tenant or owner. */
type NameList = { readonly key: string; index(name: string): string }

export const tenantsOf = (prefix: string): NameList => ({
  key: `ten${prefixIndex(prefix)}`,
  index: (tenantId) => tenantIndex(prefix, tenantId),
})

/** Returns the owners of a prefix, or of one of its tenants. */
export const ownersOf = (prefix: string, tenantId: string | undefined): NameList =>
  tenantId === undefined
    ? { key: `own${prefixIndex(prefix)}`, index: (ownerId) => ownerIndex(prefix, ownerId) }
    : { key: `own${tenantIndex(prefix, tenantId)}`, index: (ownerId) => personIndex(prefix, tenantId, ownerId) }

/** Returns the tenant or owner of an index in such a list. */
export const nameOf = (index: unknown): string => String((JSON.parse(String(index).slice('l:'.length)) as unknown[]).at(-1))

/** Returns the indexes that contain a token, beginning with the index of its prefix. */
export function indexesOf({ prefix, tenantId, ownerId, createdBy, rootId, importedFrom }: StoredToken): readonly string[] {
  return [
    prefixIndex(prefix),
    ...(tenantId === undefined ? [] : [tenantIndex(prefix, tenantId)]),
    ...(ownerId === undefined ? [] : [ownerIndex(prefix, ownerId)]),
    creatorIndex(prefix, createdBy),
    ...(ownerId === undefined ? [] : [personIndex(prefix, tenantId, ownerId)]),
    ...(rootId === undefined ? [] : [lineageIndex(prefix, rootId)]),
    ...(importedFrom === undefined ? [] : [importedIndex(prefix)]),
  ]
}

export const eventIndex = (
  prefix: string,
  ...field: readonly ['token' | 'tenant' | 'action' | 'creator' | 'bulk', string] | readonly []
): string => `e:${JSON.stringify([prefix, ...field])}`

/** Returns the indexes that contain an event. */
export function indexesOfEvent({ prefix, action, tokenId, tenantId, createdBy, bulkId }: StoredEvent): readonly string[] {
  return [
    eventIndex(prefix),
    eventIndex(prefix, 'action', action),
    ...(tokenId === undefined ? [] : [eventIndex(prefix, 'token', tokenId)]),
    ...(tenantId === undefined ? [] : [eventIndex(prefix, 'tenant', tenantId)]),
    ...(createdBy === undefined ? [] : [eventIndex(prefix, 'creator', createdBy)]),
    ...(bulkId === undefined ? [] : [eventIndex(prefix, 'bulk', bulkId)]),
  ]
}
