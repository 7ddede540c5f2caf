import { InvalidInputError } from '../../../src/errors.js'
import type { StoredEvent } from '../../../src/model/event.js'
import type { StoredToken } from '../../../src/model/record.js'

/** The root of all key names, with a hash tag, so that a cluster keeps them in one slot. */
export function rootOf(keyPrefix: unknown): string {
  if (keyPrefix === undefined) return '{latchkey}:'
  if (typeof keyPrefix !== 'string' || keyPrefix === '' || keyPrefix.length > 200) {
    throw new InvalidInputError('keyPrefix', 'give a text of 1 to 200 characters, such as acme: or {acme}:')
  }
  if (/^[^{]*\{[^}]+\}/.test(keyPrefix)) return keyPrefix
  if (/[{}]/.test(keyPrefix)) throw new InvalidInputError('keyPrefix', 'braces must enclose a hash tag, as in {acme}:')
  return `{${keyPrefix}}:`
}

// Index names end in a JSON array: names and tenants with separators, quotes or brackets in them can never run into each other.

export const prefixIndex = (prefix: string): string => `l:${JSON.stringify([prefix])}`
export const tenantIndex = (prefix: string, tenantId: string): string => `l:${JSON.stringify([prefix, 'tenant', tenantId])}`
export const ownerIndex = (prefix: string, ownerId: string): string => `l:${JSON.stringify([prefix, 'owner', ownerId])}`
export const creatorIndex = (prefix: string, createdBy: string): string => `l:${JSON.stringify([prefix, 'creator', createdBy])}`

/** The indexes that a token stands in, that of its prefix first. */
export function indexesOf({ prefix, tenantId, ownerId, createdBy }: StoredToken): readonly string[] {
  return [
    prefixIndex(prefix),
    ...(tenantId === undefined ? [] : [tenantIndex(prefix, tenantId)]),
    ...(ownerId === undefined ? [] : [ownerIndex(prefix, ownerId)]),
    creatorIndex(prefix, createdBy),
  ]
}

export const eventIndex = (
  prefix: string,
  ...field: readonly ['token' | 'tenant' | 'action' | 'creator' | 'bulk', string] | readonly []
): string => `e:${JSON.stringify([prefix, ...field])}`

/** The indexes that an event stands in. */
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
