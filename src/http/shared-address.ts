import type { Decider } from '../instance.js'
import { callerOf } from '../policy/network.js'
import { type OnWarning, warn } from './diagnostics.js'

/** If tokens come from this many addresses or fewer, they probably come through a proxy. */
const MAX_ADDRESSES = 2
/** Number of distinct tokens before a warning. A single client with a few tokens is not a proxy. */
const MIN_TOKENS = 50

/** Records one admitted use. */
export type SharingCheck = (tokenId: string, ip: string | undefined, onWarning?: OnWarning) => void

const checks: WeakMap<Decider, SharingCheck> = new WeakMap()

/** Returns the check of an instance, shared by all its guards. Guards created per request would each see only one request. */
export function sharingCheckOf(decider: Decider): SharingCheck {
  const check = checks.get(decider) ?? createSharingCheck()
  checks.set(decider, check)
  return check
}

/**
 * Warns once when many tokens come from one or two addresses, or from unknown addresses. Their callers then share one budget for lookups of nonexistent tokens,
 * so a client that forges tokens uses up the budget of the others. Stops watching once it has a result.
 */
export function createSharingCheck(): SharingCheck {
  const addresses = new Set<string | undefined>()
  const tokens = new Set<string>()
  let known = false
  // A client usually repeats its calls, so the same address is parsed only once.
  let last: string | undefined | null = null
  return function checkSharing(tokenId, ip, onWarning) {
    if (known) return
    if (ip !== last) addresses.add(callerOf(ip))
    last = ip
    tokens.add(tokenId)
    if (addresses.size <= MAX_ADDRESSES && tokens.size < MIN_TOKENS) return
    known = true
    if (addresses.size <= MAX_ADDRESSES) warn('LATCHKEY_W011', onWarning, aboutAddresses([...addresses]))
    addresses.clear()
    tokens.clear()
  }
}

function aboutAddresses(addresses: readonly (string | undefined)[]): string {
  const named = addresses.filter((address) => address !== undefined)
  return named.length === 0 ? 'the address is not known' : named.sort().join(' and ')
}
