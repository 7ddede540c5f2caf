import type { Actor } from '../model/actor.js'
import { defaultEngine } from '../token/hash.js'
import type { ReadLimit } from './read-options.js'

/** Matches short IDs that are distinct in every database, even if the database ignores case. */
const PLAIN = /^[a-z0-9._@+-]{1,64}$/

/**
 * Returns the key under which a limiter counts the uses of a token; `undefined` if the limit does not apply to it.
 *
 * A token is counted under the first token of its lineage, so rotating does not reset a quota. An owner is counted separately in each tenant,
 * because two tenants may use the same ID for two people.
 */
export function limitKey(
  limit: ReadLimit,
  prefix: string,
  holder: { readonly ownerId?: string | undefined; readonly tenantId?: string | undefined },
  rootId: string,
): string | undefined {
  const { name, by } = limit
  if (by === 'token') return `${name}:${prefix}:${rootId}`
  const { ownerId, tenantId } = holder
  if (by === 'tenant') return tenantId === undefined ? undefined : `${name}:${prefix}:${short(tenantId)}`
  if (ownerId === undefined) return undefined
  return `${name}:${prefix}:${tenantId === undefined ? '' : short(tenantId)}:${short(ownerId)}`
}

/**
 * Returns the key under which a limiter counts the management calls by a person. Names a tenant, because two tenants may use the same ID. Calls for several
 * tenants count in the first of them, because otherwise each combination of a person's tenants would have its own quota.
 *
 * The limiter may also count the uses of tokens. The '#' keeps these keys apart from those of a tenant named `actor` or `self`.
 */
export function actorKey({ name }: ReadLimit, prefix: string, { id, tenants }: Actor): string {
  return `${name}:${prefix}:#actor:${placeOf(tenants)}:${short(id)}`
}

/** Returns the key under which a limiter counts the calls by a token to `/self`, by the first token of its lineage. */
export function holderKey({ name }: ReadLimit, prefix: string, rootId: string): string {
  return `${name}:${prefix}:#self:${rootId}`
}

function placeOf(tenants: Actor['tenants']): string {
  if (typeof tenants === 'string') return '*'
  const [first = ''] = [...tenants].sort()
  return short(first)
}

// Database limiters have room for 255 characters. The '#' keeps a digest distinct from any plain ID.
function short(id: string): string {
  return PLAIN.test(id) ? id : `#${defaultEngine.sha256(encodeURIComponent(id.toWellFormed()))}`
}
