import type { Decider } from '../instance.js'
import { callerOf } from '../policy/network.js'
import { type OnWarning, warn } from './diagnostics.js'

/** Tokens from this many addresses or fewer are what a proxy looks like. */
const MAX_ADDRESSES = 2
/** Distinct tokens before anything is said: a single client with a few tokens is no proxy. */
const MIN_TOKENS = 50

/** Takes note of one admitted use. */
export type SharingCheck = (tokenId: string, ip: string | undefined, onWarning?: OnWarning) => void

const checks: WeakMap<Decider, SharingCheck> = new WeakMap()

/** The check of an instance, which all its guards share: where options come with each request, a guard sees one request only. */
export function sharingCheckOf(decider: Decider): SharingCheck {
  const check = checks.get(decider) ?? createSharingCheck()
  checks.set(decider, check)
  return check
}

/**
 * Warns once when many tokens come from one or two addresses, or from unknown ones: callers then share the budget for lookups of tokens that do not exist, and
 * one who forges tokens takes it from the others. Watches only until it knows.
 */
export function createSharingCheck(): SharingCheck {
  const addresses = new Set<string | undefined>()
  const tokens = new Set<string>()
  let known = false
  // A client calls again and again: its address is read once.
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
