import type { Principal } from '../model/principal.js'
import { defaultEngine } from '../token/hash.js'
import type { ReadLimit } from './read-options.js'

/** Short, and the same in every database, also where upper and lower case compare equal. */
const PLAIN = /^[a-z0-9._@+-]{1,64}$/

/** The name under which a limiter counts a principal's uses; `undefined` where the limit does not concern it. */
export function limitKey(limit: ReadLimit, prefix: string, principal: Principal): string | undefined {
  const { name, by } = limit
  if (by === 'token') return `${name}:${prefix}:${principal.tokenId}`
  const id = by === 'owner' ? principal.ownerId : principal.tenantId
  if (id === undefined) return undefined
  // Limiters of databases have room for 255 characters. A digest cannot be taken for a plain name: it holds a '#'.
  return `${name}:${prefix}:${PLAIN.test(id) ? id : `#${defaultEngine.sha256(encodeURIComponent(id.toWellFormed()))}`}`
}
