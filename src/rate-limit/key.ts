import type { Actor } from '../model/actor.js'
import { defaultEngine } from '../token/hash.js'
import type { ReadLimit } from './read-options.js'

/** Short, and the same in every database, also where upper and lower case compare equal. */
const PLAIN = /^[a-z0-9._@+-]{1,64}$/

/**
 * The name under which a limiter counts the uses of a token; `undefined` where the limit does not concern it.
 *
 * A token counts with the first of its line of rotations, so that rotating gives no fresh quota. An owner counts for each tenant apart: two
 * tenants may call two people alike, and neither spends what is the other's.
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

/** The name under which a limiter counts the calls of a person who manages tokens. Hosts may call people of two tenants alike. */
export function actorKey({ name }: ReadLimit, prefix: string, { id, tenants }: Actor): string {
  const [only, ...more] = tenants
  const where =
    typeof tenants === 'string' || only === undefined ? '*' : short(more.length === 0 ? only : JSON.stringify([...tenants].sort()))
  return `${name}:${prefix}:actor:${where}:${short(id)}`
}

/** The name under which a limiter counts the calls of a token about itself, by the first token of its line of rotations. */
export function holderKey({ name }: ReadLimit, prefix: string, rootId: string): string {
  return `${name}:${prefix}:self:${rootId}`
}

// Limiters of databases have room for 255 characters. A digest cannot be taken for a plain name: it holds a '#'.
function short(id: string): string {
  return PLAIN.test(id) ? id : `#${defaultEngine.sha256(encodeURIComponent(id.toWellFormed()))}`
}
