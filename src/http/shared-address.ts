import { callerOf } from '../policy/network.js'
import { type OnWarning, warn } from './diagnostics.js'

/** Tokens from this many addresses or fewer are what a proxy looks like. */
const MAX_ADDRESSES = 2
/** Distinct tokens before anything is said: a single client with a few tokens is no proxy. */
const MIN_TOKENS = 50

/**
 * Warns once when many tokens come from one or two addresses, or from unknown ones: callers then share the budget for lookups of tokens that do not exist, and
 * one who forges tokens takes it from the others. Watches only until it knows.
 */
export function createSharingCheck(onWarning?: OnWarning): (tokenId: string, ip: string | undefined) => void {
  const addresses = new Set<string | undefined>()
  const tokens = new Set<string>()
  let known = false
  return function checkSharing(tokenId, ip) {
    if (known) return
    if (!addresses.has(ip)) addresses.add(callerOf(ip))
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
