import { endpointName } from '../activity/endpoint-name.js'
import { type Entry, rootIdOf } from '../cache/entry.js'
import type { Owned } from '../cache/owners.js'
import { type RefusalCode, StoreUnavailableError } from '../errors.js'
import { isErased } from '../model/event.js'
import type { MaybePromise } from '../model/json.js'
import type { Principal, Verification, VerifyContext } from '../model/principal.js'
import { countOne, type Vitals } from '../model/vitals.js'
import { normalizeIp } from '../policy/network.js'
import { refusalOf } from '../policy/status.js'
import { limitKey } from '../rate-limit/key.js'
import { NEVER_SECONDS, type Rated, type Rates } from '../rate-limit/rates.js'
import type { KeyOf } from '../rate-limit/read-options.js'
import { dueFrom, isThenable, leftUntil } from '../store/deadline.js'
import { checksumMatches } from '../token/checksum.js'
import { isPeppered } from '../token/digest.js'
import { isPacked } from '../token/packed-digest.js'
import type { Context } from './context.js'
import { countAllowed, noteRefusal, touchOthers } from './count-use.js'
import { findImported } from './find-imported.js'
import { type OwnerFound, ownerOf, THROTTLED_SECONDS } from './owner-of.js'
import { TokenPrincipal } from './principal.js'
import { principalOf } from './principal-of.js'
import { noteReuse } from './reuse.js'
import { tellOfMalformed } from './verify-slips.js'

type Refused = Extract<Verification, { ok: false }>
type Allowed = Extract<Verification, { ok: true }>

const THROTTLED = 'too many unknown tokens were sent from this address: with the pepper option, they would be refused without a read'

/** Creates a new error for each throttled guess, because one error is reported only once. Capturing its stack would cost more than the rest. */
function throttledError(): StoreUnavailableError {
  const { stackTraceLimit } = Error
  // Where built-in objects are frozen, this has no effect.
  Reflect.set(Error, 'stackTraceLimit', 0)
  const error = new StoreUnavailableError(THROTTLED)
  Reflect.set(Error, 'stackTraceLimit', stackTraceLimit)
  return error
}

// Refusals that contain no data about the token are created once.
const MALFORMED: Refused = Object.freeze({ ok: false, code: 'token_malformed' })
const UNKNOWN: Refused = Object.freeze({ ok: false, code: 'token_unknown' })

/**
 * Makes the decision, in this order and nowhere else: parse, digest, checksum, record, compare, revoked, inactive, not before, expired, address,
 * owner, rate, principal. Returns synchronously if the record is in memory and neither an owner nor a limiter must be awaited.
 *
 * @throws StoreUnavailableError `store_unavailable`, when it cannot decide (thrown or rejected)
 */
export function decide(context: Context, token: unknown, request: VerifyContext | undefined): MaybePromise<Verification> {
  const parsed = context.settings.parse(token)
  if (parsed === undefined) return decideImported(context, token, request)
  const digest = digestOf(context, parsed.token, parsed.body)
  if (digest === undefined) return refuseUnread(context, MALFORMED)
  const { vitals, settings } = context
  const shown = settings.wall?.()
  const entry = context.records.get(parsed.id, shown)
  if (entry !== undefined) {
    vitals.cacheHits += 1
    return judge(context, entry, digest, shown ?? settings.clock(), request)
  }
  if (context.records.isKnownMissing(parsed.id)) {
    vitals.cacheHits += 1
    return refuseUnread(context, UNKNOWN)
  }
  // Cached tokens were decided above. This token may be valid, so it is neither accepted nor refused. With a pepper, it is not a guess.
  if (context.records.isThrottled(request?.ip) && !isPeppered(settings.digesters, parsed.body, digest)) {
    vitals.throttled += 1
    return Promise.reject(throttledError())
  }
  vitals.cacheMisses += 1
  return decideMiss(context, parsed.id, digest, request)
}

// From here on, whatever creates a closure has a function of its own: an engine would allocate the variables of a closure for warm verifications, too.
function decideMiss(context: Context, id: string, digest: string, request: VerifyContext | undefined): Promise<Verification> {
  const dueAt = dueFrom(context.settings)
  return context.records.read(id, request?.ip).then((read) => {
    if (read === undefined) return refuseUnread(context, UNKNOWN)
    // A guess at the secret of a known ID also costs a read.
    if (!isPacked(read.digest, digest)) context.records.noteGuess(request?.ip)
    return judge(context, read, digest, context.settings.clock(), request, dueAt)
  })
}

/** Decides whether to accept a credential that is not in our format, because it may be a token from another system. */
function decideImported(context: Context, token: unknown, request: VerifyContext | undefined): MaybePromise<Verification> {
  const { imported } = context
  const claims = imported?.claims(token) ?? []
  if (imported === undefined || claims.length === 0) return refuseUnread(context, MALFORMED)
  const dueAt = dueFrom(context.settings)
  return findImported(context, imported, claims, request, dueAt).then((found) => {
    if (found === undefined) return refuseUnread(context, UNKNOWN)
    const { entry, proven } = found
    const now = context.settings.clock()
    return proven ? judgeProven(context, entry, now, request, dueAt) : refuseWrongSecret(context, entry, now, request)
  })
}

/** Refuses a credential that does not exist, such as a used ticket. */
export function refuseUnknown(context: Context): Verification {
  return refuseUnread(context, UNKNOWN)
}

function refuseUnread({ vitals }: Context, refused: Refused): Refused {
  countRefusal(vitals, refused.code)
  return refused
}

function countRefusal(vitals: Vitals, code: RefusalCode): void {
  countOne(vitals.refused, code)
  vitals.onRefused?.(code)
}

/** Returns the digest with the pepper that the checksum was made with; `undefined` if none fits, because then the token was not minted here. */
export function digestOf(context: Context, token: string, body: string): string | undefined {
  for (const digester of context.settings.digesters) {
    const digest = digester.digest(body)
    if (checksumMatches(token, digest)) return digest
  }
  return undefined
}

// `dueAt`, from here on: the deadline, on the monotonic clock, of a decision that has waited for something. Absent: it has not waited yet.
function judge(
  context: Context,
  entry: Entry,
  digest: string,
  now: number,
  request: VerifyContext | undefined,
  dueAt?: number,
): MaybePromise<Verification> {
  if (!isPacked(entry.digest, digest)) return refuseWrongSecret(context, entry, now, request)
  return judgeProven(context, entry, now, request, dueAt)
}

function refuseWrongSecret(context: Context, entry: Entry, now: number, request: VerifyContext | undefined): Refused {
  return refuse(context, entry, 'secret_mismatch', now, request)
}

function judgeProven(
  context: Context,
  entry: Entry,
  now: number,
  request: VerifyContext | undefined,
  dueAt: number | undefined,
): MaybePromise<Verification> {
  if (entry.parts.replaced) noteIfReused(context, entry, now, request)
  return judgeHeld(context, entry, now, request, dueAt)
}

/** Completes the decision for a caller that has proved in another way that it holds this token. */
export function decideFor(context: Context, entry: Entry, request: VerifyContext | undefined, dueAt: number): MaybePromise<Verification> {
  return judgeHeld(context, entry, context.settings.clock(), request, dueAt)
}

function noteIfReused(context: Context, entry: Entry, now: number, request: VerifyContext | undefined): void {
  const ended = refusalOf(entry.lifecycle, now)
  if (ended !== undefined) noteReuse(context, entry, { lifecycle: entry.lifecycle, code: ended, now, ip: addressOf(entry, request) })
}

// The presenter of an erased owner's token is most likely that owner, whose address must not be stored again.
function addressOf(entry: Entry, request: VerifyContext | undefined): string | undefined {
  return isErased(entry) ? undefined : normalizeIp(request?.ip)
}

function judgeHeld(
  context: Context,
  entry: Entry,
  now: number,
  request: VerifyContext | undefined,
  dueAt: number | undefined,
): MaybePromise<Verification> {
  const code = refusalOf(entry.lifecycle, now)
  if (code !== undefined) return refuse(context, entry, code, now, request)
  const { allowsIp } = entry.parts
  if (allowsIp !== undefined && !allowsIp(request?.ip)) return refuse(context, entry, 'ip_denied', now, request)
  const { settings } = context
  const owned = ownerOf(context, entry, leftUntil(dueAt, settings))
  return isThenable(owned)
    ? delegateLate(context, entry, owned, now, request, dueAt ?? dueFrom(settings))
    : delegate(context, entry, owned, now, request, dueAt)
}

function delegateLate(
  context: Context,
  entry: Entry,
  owned: Promise<OwnerFound>,
  now: number,
  request: VerifyContext | undefined,
  dueAt: number,
): Promise<Verification> {
  return owned.then((late) => delegate(context, entry, late, now, request, dueAt))
}

function delegate(
  context: Context,
  entry: Entry,
  owned: OwnerFound,
  now: number,
  request: VerifyContext | undefined,
  dueAt: number | undefined,
): MaybePromise<Verification> {
  if (owned === null) return refuse(context, entry, 'owner_denied', now, request)
  if (owned !== 'throttled') return allow(context, entry, owned, now, request, dueAt)
  return { ...refuse(context, entry, 'rate_limited', now, request), retryAfterSeconds: THROTTLED_SECONDS }
}

function allow(
  context: Context,
  entry: Entry,
  owned: Owned | undefined,
  now: number,
  request: VerifyContext | undefined,
  dueAt: number | undefined,
): MaybePromise<Verification> {
  const { rates } = context
  return rates === undefined
    ? admit(context, entry, principalOf(context, entry, owned), now, request)
    : allowRated(context, rates, entry, owned, now, request, dueAt)
}

function allowRated(
  context: Context,
  rates: Rates,
  entry: Entry,
  owned: Owned | undefined,
  now: number,
  request: VerifyContext | undefined,
  dueAt: number | undefined,
): MaybePromise<Verification> {
  // Intersecting long lists of resources takes time, so it is postponed until the limits allow the request, or until their `points` need the principal.
  let made: TokenPrincipal | undefined
  const principal = (): TokenPrincipal => {
    made ??= principalOf(context, entry, owned)
    return made
  }
  // This is a second guard of the same request. The first guard has already counted it.
  const admitted = request?.admitted
  if (admitted !== undefined && TokenPrincipal.entryFor(admitted, context.signalOf)?.id === entry.id) {
    rates.continued(admitted, principal())
    return admit(context, entry, principal(), now, request)
  }
  const { settings } = context
  const keyOf: KeyOf = (limit) => limitKey(limit, settings.prefix, entry, rootIdOf(entry))
  const rated = rates.take(principal, keyOf, now, leftUntil(dueAt, settings))
  const settle = ({ states, refusedBy }: Rated): Verification => {
    if (refusedBy === undefined) return { ...admit(context, entry, principal(), now, request), ...(states.length > 0 && { rates: states }) }
    const { resetSeconds = NEVER_SECONDS } = refusedBy
    return { ...refuse(context, entry, 'rate_limited', now, request), retryAfterSeconds: Math.max(resetSeconds, 1), rates: states }
  }
  return isThenable(rated) ? rated.then(settle) : settle(rated)
}

function admit(context: Context, entry: Entry, principal: Principal, now: number, request: VerifyContext | undefined): Allowed {
  const { vitals } = context
  vitals.allowed += 1
  if (vitals.onAllowed !== undefined) vitals.onAllowed(principal)
  if (context.usage !== undefined) {
    context.usage.touch(entry, now, request?.ip)
    if (entry.parts.importedFrom !== undefined) touchOthers(context.usage, entry, now)
    context.scheduleFlush()
  }
  return { ok: true, principal }
}

function refuse(context: Context, entry: Entry, code: RefusalCode, now: number, request: VerifyContext | undefined): Refused {
  const ip = addressOf(entry, request)
  countRefusal(context.vitals, code)
  noteRefusal(context, entry, code, now, ip)
  context.usage?.count(entry, now, endpointOf(request), code, '', ip)
  context.scheduleFlush()
  return { ok: false, code }
}

/** Decides whether to accept a token, and counts one use if it is allowed. */
export function verify(context: Context, token: unknown, request: VerifyContext | undefined): MaybePromise<Verification> {
  const verification = decide(context, token, request)
  return verification instanceof Promise ? countedLate(context, verification, request) : counted(context, verification, request, token)
}

function countedLate(context: Context, verification: Promise<Verification>, request: VerifyContext | undefined): Promise<Verification> {
  return verification.then((late) => counted(context, late, request))
}

function counted(context: Context, verification: Verification, request: VerifyContext | undefined, token?: unknown): Verification {
  if (verification.ok) countAllowed(context, verification.principal, endpointOf(request), request?.ip)
  else if (verification.code === 'token_malformed') tellOfMalformed(context, token)
  return verification
}

function endpointOf(request: VerifyContext | undefined): string {
  const endpoint = request?.endpoint
  if (typeof endpoint !== 'string') return ''
  const method = request?.method
  return typeof method !== 'string' ? endpoint : endpointName(method, endpoint)
}
