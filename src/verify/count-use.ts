import { aboutToken } from '../activity/about-token.js'
import type { UsageRecorder } from '../activity/usage.js'
import { endingWith } from '../cache/ending-together.js'
import type { Entry } from '../cache/entry.js'
import type { RefusalCode } from '../errors.js'
import type { CountedUse, UseOutcome } from '../model/counted-use.js'
import type { Principal } from '../model/principal.js'
import { countOne } from '../model/vitals.js'
import { neverThrowing } from '../policy/instant.js'
import { normalizeIp } from '../policy/network.js'
import type { Context } from './context.js'
import { TokenPrincipal } from './principal.js'

type Refused = Exclude<UseOutcome, 'allowed' | 'undecided' | 'lookup_failed'>

/** Counts one use of a token that `decide` allowed. */
export function countUse(context: Context, principal: Principal, use: CountedUse): void {
  count(context, principal, use.endpoint ?? '', use.scope ?? '', use.ip, use.outcome ?? 'allowed', use.isCounted === true)
}

/** Counts one allowed use. */
export function countAllowed(context: Context, principal: Principal, endpoint: string, ip: string | undefined): void {
  count(context, principal, endpoint, '', ip, 'allowed', false)
}

function count(
  context: Context,
  principal: Principal,
  endpoint: string,
  scope: string,
  ip: string | undefined,
  outcome: UseOutcome,
  isCounted: boolean,
): void {
  const entry = TokenPrincipal.entryOf(principal)
  if (entry === undefined) return
  if (outcome === 'undecided') return void context.rates?.giveBack(principal)
  if (outcome === 'lookup_failed') return void context.rates?.refused(principal)
  context.scheduleFlush()
  if (outcome === 'allowed') {
    if (!isCounted) context.usage?.countAllowed(entry, endpoint, scope, ip)
    return
  }
  const now = neverThrowing(context.settings.clock)()
  if (!isCounted) context.usage?.count(entry, now, endpoint, outcome, scope, ip)
  countOne(context.vitals.refusedByRoute, outcome)
  noteRefusal(context, entry, outcome, now, normalizeIp(ip))
  // A use that is refused later does not count against the limits.
  if (outcome === 'rate_limited') context.rates?.giveBack(principal)
  else context.rates?.refused(principal)
}

/**
 * Records that the other tokens that end this credential were used too. They must not seem unused, because the deactivation of any of them would refuse the
 * credential. Records no address, because they may belong to another tenant.
 */
export function touchOthers(usage: UsageRecorder, entry: Entry, now: number): void {
  for (const other of endingWith(entry)) usage.touchOther(other, now)
}

/** Records the refused use of a known token in the audit log. */
export function noteRefusal({ refusals }: Context, entry: Entry, code: RefusalCode | Refused, now: number, ip: string | undefined): void {
  // Copies only the required fields, because the entry may leave the cache long before its event is written.
  refusals.note(`${entry.id} ${code}`, () => ({ actorId: `token:${entry.id}`, ...aboutToken(entry), code }), now, ip)
}
