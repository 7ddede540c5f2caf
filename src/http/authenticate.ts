import { StoreUnavailableError } from '../errors.js'
import { type Authenticator, type Decider, deciderOf } from '../instance.js'
import { noteCopy } from '../model/copies.js'
import type { MaybePromise } from '../model/json.js'
import type { Principal, RateState } from '../model/principal.js'
import { normalizeIp } from '../policy/network.js'
import { isThenable } from '../store/deadline.js'
import { tellableFault } from '../store/describe-fault.js'
import { limitsOf } from '../verify/route-check.js'
import { type Admission, admissionOf, admit, type Guard, startUse, type Use, undoUse } from './admission.js'
import { askHost } from './ask-host.js'
import { atOnce } from './at-once.js'
import { createCredentialReader } from './credential.js'
import { type OnWarning, warn } from './diagnostics.js'
import { type AuthenticateOptions, readOptions, systemMonotonic } from './options.js'
import { type PlainResponse, publicCode } from './problem.js'
import { readRates } from './rate-fields.js'
import { createRefusals } from './refuse.js'
import { fieldValues, type Platform, type RequestLike } from './request.js'
import { originOf } from './same-origin.js'
import { secretsIn } from './secrets-in.js'
import { sharingCheckOf } from './shared-address.js'
import { createTrustCheck } from './trust-check.js'

/**
 * A guard's decision: admitted with a principal, admitted without one, or refused with a response. An admission has a `response` of `undefined`, because other
 * code may have put one on `Object.prototype`.
 */
export type GuardOutcome =
  | (Admission & { readonly principal: Principal; readonly response: undefined })
  | (Admission & { readonly use: undefined; readonly response: undefined })
  | { readonly response: PlainResponse; readonly principal?: undefined; readonly use?: undefined }

/** Decides whether to admit a request. Never throws and never rejects. */
export type Authenticate<R> = ((request: R) => MaybePromise<GuardOutcome>) & { readonly guard: Guard }

/**
 * Creates the guard that every adapter calls: request → credential → decision → principal or refusal.
 *
 * Any failure on the way, including errors from the host and falsy rejections, results in a 503. An outage must neither look like a 401 nor let a
 * request through.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 */
export function createGuard<R extends object>(
  tokens: Authenticator,
  options: AuthenticateOptions<R>,
  platform: Platform<R>,
): Authenticate<R> {
  const decider = deciderOf(tokens, 'authenticate(tokens)')
  noteCopy()
  const read = readOptions(options)
  const { optional = false, credential, realm, errorBody, resourceMetadata, resources = decider.resources, onWarning } = read
  const reader = createCredentialReader(credential, platform.upgrades === true, decider.imported)
  const { report, monotonic = systemMonotonic } = decider
  const secretsOf = (request: R): readonly string[] => {
    try {
      return secretsIn(platform.headers?.(request) ?? platform.read(request).headers, reader.fields)
    } catch {
      // The headers cannot be read, so no callback received them.
      return []
    }
  }
  const host = askHost(read, decider, secretsOf)
  const checkSharing = decider.looksUpForgeries === true ? sharingCheckOf(decider) : undefined
  const refuse = createRefusals<R>({ realm, reader, errorBody, resourceMetadata, report, secretsOf })
  const ownFields = reader.fields.filter((name) => name !== 'authorization')
  const guard: Guard = Object.freeze({
    decider,
    optional,
    vary: ownFields.length === 0 ? undefined : ownFields.join(', '),
    onWarning,
    // After an asynchronous decision, nothing handles an exception, which would end the process.
    admitBy(request, admit) {
      try {
        const refusal = admit()
        if (refusal !== undefined) undoUse(admissionOf(request as R)?.use)
        return refusal
      } catch (error) {
        report('verify', error, () => secretsOf(request as R))
        undoUse(admissionOf(request as R)?.use)
        return refuse('store_unavailable', request as R)
      }
    },
    // An admission is keyed by its request, so later calls pass a request of the same framework.
    refuse: refuse as Guard['refuse'],
    secretsOf: secretsOf as Guard['secretsOf'],
  })

  const fault = (request: R, error: unknown): GuardOutcome => {
    report('verify', error, () => secretsOf(request))
    return { response: refuse('store_unavailable', request, { retryAfterSeconds: retryAfterOf(error) }) }
  }

  const settle = (request: R, seen: RequestLike, before: Admission | undefined, answer: unknown, spentMs: number): GuardOutcome => {
    const principal = readPrincipal(answer)
    if (principal !== undefined) {
      const use = useOf(guard, before, principal, seen.ip)
      if (checkSharing !== undefined && principal.tokenId !== undefined) checkSharing(principal.tokenId, seen.ip, onWarning)
      const admission = { guard, principal, spentMs, use, limitedIn: limitsOf(resources, principal), response: undefined }
      admit(request, admission)
      return admission
    }
    const refused = readRefusal(answer)
    if (refused === undefined) return fault(request, new StoreUnavailableError('the decision has an unknown form'))
    if (refused.code === 'ip_denied') warnOfAddress(seen, platform.trustsProxy(request), onWarning)
    const { code, retryAfterSeconds, rates } = refused
    return { response: refuse(publicCode(code), request, { retryAfterSeconds, rates }) }
  }

  const cameFrom = ({ method, headers, host }: RequestLike): ReturnType<typeof originOf> =>
    platform.checksOrigin === true ? 'own' : originOf(platform.upgrades === true ? 'CONNECT' : method, headers, host?.(), onWarning)

  /** Admits a request that the host authenticated. No use is counted. */
  const welcome = (
    request: R,
    answer: MaybePromise<Principal | undefined>,
    settle: (principal: Principal | undefined) => PlainResponse | undefined,
  ): MaybePromise<GuardOutcome> => {
    const settled = (principal: Principal | undefined, spentMs: number): GuardOutcome => {
      const response = settle(principal)
      if (response !== undefined) return { response }
      const admission = { guard, principal, spentMs, use: undefined, limitedIn: limitsOf(resources, principal), response: undefined }
      admit(request, admission)
      return admission
    }
    if (!(answer instanceof Promise)) return settled(answer, 0)
    const begunAt = monotonic()
    return answer.then((principal) => settled(principal, monotonic() - begunAt)).catch((error: unknown) => fault(request, error))
  }

  const bySession = (request: R, seen: RequestLike): MaybePromise<GuardOutcome> => {
    // A request with any credential, valid or not, is judged by that credential and not by a session.
    const asked = host.session !== undefined && fieldValues(seen.headers, 'authorization').length === 0
    return welcome(request, asked ? host.session(request) : undefined, (principal) => {
      if (principal === undefined) return optional ? undefined : refuse('credential_missing', request)
      // Browsers send session cookies with every request, including requests started by other sites.
      return cameFrom(seen) === 'own' ? undefined : refuse('cross_site', request)
    })
  }
  const checkTrust = createTrustCheck(platform.believesCallers, onWarning)

  /** Reads the request. Returns `undefined` when the client cannot be identified: reading its address may run the host's code. */
  const readRequest = (request: R): RequestLike | undefined => {
    try {
      const seen = platform.read(request)
      atOnce('ip', seen.ip)
      return seen
    } catch (error) {
      report('ip', tellableFault('ip failed', error, secretsOf(request)))
      return undefined
    }
  }

  const decide = (request: R, before: Admission | undefined): MaybePromise<GuardOutcome> => {
    const seen = readRequest(request)
    if (seen === undefined) return { response: refuse('store_unavailable', request) }
    checkTrust(request)
    const presented = reader.read(seen.headers)
    if (presented.kind === 'malformed') return { response: refuse('credential_malformed', request, { why: presented.reason }) }
    if (presented.kind === 'missing') return bySession(request, seen)
    // Browsers resend Basic credentials on requests from any page. Other programs do not send an origin.
    if (presented.kind === 'token' && presented.resent && cameFrom(seen) === 'other') return { response: refuse('cross_site', request) }
    if (presented.kind === 'token' && host.foreign !== undefined && decider.isOwn?.(presented.token) === false) {
      return welcome(request, host.foreign(presented.token, request), (principal) =>
        principal === undefined ? refuse('token_invalid', request) : undefined,
      )
    }
    // A request counts once against rate limits, even if it passes several guards of this instance.
    const admitted = before !== undefined && rootOf(before.guard.decider) === rootOf(decider) ? before.principal : undefined
    const seenBy = admitted === undefined ? { ip: seen.ip, method: seen.method } : { ip: seen.ip, method: seen.method, admitted }
    const answer: unknown =
      presented.kind === 'token' ? decider.decide(presented.token, seenBy) : (decider.redeem?.(presented.ticket, seenBy) ?? NO_TICKETS)
    if (!isThenable(answer)) return settle(request, seen, before, answer, 0)
    const begunAt = monotonic()
    return Promise.resolve(answer)
      .then((value: unknown) => settle(request, seen, before, value, monotonic() - begunAt))
      .catch((error: unknown) => fault(request, error))
  }

  const authenticate = (request: R): MaybePromise<GuardOutcome> => {
    let before: Admission | undefined
    try {
      before = admissionOf(request)
      admit(request, undefined)
      const outcome = decide(request, before)
      return before?.use === undefined ? outcome : settleEarlier(before.use, outcome)
    } catch (error) {
      undoUse(before?.use)
      return fault(request, error)
    }
  }
  return Object.assign(authenticate, { guard })
}

// A second guard of the same instance does not count the use again. Two guards are a mistake, unless an optional guard precedes a strict one.
function useOf(guard: Guard, before: Admission | undefined, principal: Principal, ip: string | undefined): Use {
  if (before?.use !== undefined && rootOf(before.guard.decider) === rootOf(guard.decider)) {
    if (before.guard === guard || !before.guard.optional) warn('LATCHKEY_W001', guard.onWarning)
    if (before.use.tokenId === principal.tokenId) return before.use
  }
  return startUse(guard.decider, principal, ip)
}

/** Undoes the use that an earlier guard of the request admitted if this decision refuses the request. */
function settleEarlier(use: Use, outcome: MaybePromise<GuardOutcome>): MaybePromise<GuardOutcome> {
  if (!(outcome instanceof Promise)) return undoneIfRefused(use, outcome)
  return use.during(outcome.then((settled) => undoneIfRefused(use, settled)))
}

function undoneIfRefused(use: Use, outcome: GuardOutcome): GuardOutcome {
  if (outcome.response !== undefined) undoUse(use)
  return outcome
}

function rootOf(decider: Decider): Decider {
  return decider.root ?? decider
}

/** A decider without tickets accepts none. */
const NO_TICKETS = { ok: false, code: 'token_unknown' } as const

type RefusedAnswer = {
  readonly code: string
  readonly retryAfterSeconds: number | undefined
  readonly rates: readonly RateState[] | undefined
}

/** A value of unknown shape whose fields may contain anything. Plain property reads are cheaper than `Reflect.get`. */
type Unread<Field extends string> = { readonly [Name in Field]?: unknown }

// Treated as untrusted input: only the exact shape of a verification admits a request.
function readPrincipal(answer: unknown): Principal | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  const { ok } = answer as Unread<'ok'>
  if (ok !== true) return undefined
  const { principal } = answer as Unread<'principal'>
  return isPrincipal(principal) ? principal : undefined
}

function readRefusal(answer: unknown): RefusedAnswer | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  const { ok, code, retryAfterSeconds, rates } = answer as Unread<'ok' | 'code' | 'retryAfterSeconds' | 'rates'>
  if (ok !== false || typeof code !== 'string') return undefined
  return { code, retryAfterSeconds: typeof retryAfterSeconds === 'number' ? retryAfterSeconds : undefined, rates: readRates(rates) }
}

function isPrincipal(value: unknown): value is Principal {
  if (typeof value !== 'object' || value === null) return false
  const { tokenId, allows } = value as Unread<'tokenId' | 'allows'>
  return typeof tokenId === 'string' && tokenId !== '' && typeof allows === 'function'
}

// Warns when a token is refused for an address that is probably not the client's.
function warnOfAddress(seen: RequestLike, trustsProxy: boolean | undefined, onWarning: OnWarning | undefined): void {
  if (normalizeIp(seen.ip) === undefined) warn('LATCHKEY_W005', onWarning)
  else if (trustsProxy === false && isForwarded(seen)) warn('LATCHKEY_W003', onWarning)
}

function isForwarded(seen: RequestLike): boolean {
  return fieldValues(seen.headers, 'x-forwarded-for').length > 0 || fieldValues(seen.headers, 'forwarded').length > 0
}

function retryAfterOf(error: unknown): number | undefined {
  // A callback may throw any value, and reading its fields may throw again.
  try {
    const seconds: unknown = Reflect.get(Object(error), 'retryAfterSeconds')
    return typeof seconds === 'number' ? seconds : undefined
  } catch {
    return undefined
  }
}
