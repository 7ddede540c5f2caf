import { StoreUnavailableError } from '../errors.js'
import { type Authenticator, deciderOf } from '../instance.js'
import { noteCopy } from '../model/copies.js'
import type { MaybePromise } from '../model/json.js'
import type { Principal, RateState } from '../model/principal.js'
import { normalizeIp } from '../policy/network.js'
import { isThenable } from '../store/deadline.js'
import { limitsOf } from '../verify/route-check.js'
import { type Admission, admissionOf, admit, type Guard, startUse, type Use } from './admission.js'
import { askHost } from './ask-host.js'
import { createCredentialReader } from './credential.js'
import { type OnWarning, warn } from './diagnostics.js'
import { type AuthenticateOptions, readOptions } from './options.js'
import { type PlainResponse, publicCode } from './problem.js'
import { readRates } from './rate-fields.js'
import { createRefusals } from './refuse.js'
import { fieldValues, type Platform, type RequestLike } from './request.js'
import { originOf } from './same-origin.js'
import { sharingCheckOf } from './shared-address.js'
import { createTrustCheck } from './trust-check.js'

/** A guard's decision: admitted with a principal, admitted without one, or refused with a response. */
export type GuardOutcome =
  | { readonly principal: Principal; readonly use: Use | undefined; readonly anonymous?: undefined; readonly response?: undefined }
  | { readonly anonymous: true; readonly principal?: undefined; readonly use?: undefined; readonly response?: undefined }
  | { readonly response: PlainResponse; readonly principal?: undefined; readonly use?: undefined; readonly anonymous?: undefined }

/** Decides about a request. Never throws, never rejects. */
export type Authenticate<R> = ((request: R) => MaybePromise<GuardOutcome>) & { readonly guard: Guard }

/**
 * Makes the guard that every adapter calls: request → credential → decision → principal or refusal.
 *
 * Whatever goes wrong on the way, foreign errors and falsy rejections included, is a 503: an outage is neither a 401 nor an open door.
 *
 * @throws InvalidInputError `invalid_input` when an option is unknown or unsound.
 */
export function createGuard<R extends object>(
  tokens: Authenticator,
  options: AuthenticateOptions<R>,
  platform: Platform<R>,
): Authenticate<R> {
  const decider = deciderOf(tokens)
  noteCopy()
  const {
    optional = false,
    credential,
    realm,
    errorBody,
    resourceMetadata,
    resources = decider.resources,
    onWarning,
  } = readOptions(options)
  const reader = createCredentialReader(credential, platform.upgrades === true, decider.imported)
  const { report } = decider
  const host = askHost(options, decider)
  const checkSharing = decider.looksUpForgeries === true ? sharingCheckOf(decider) : undefined
  const refuse = createRefusals<R>({ realm, reader, errorBody, resourceMetadata, report })
  const ownFields = reader.fields.filter((name) => name !== 'authorization')
  const guard: Guard = Object.freeze({
    decider,
    optional,
    vary: ownFields.length === 0 ? undefined : ownFields.join(', '),
    onWarning,
    // An admission is keyed by the request that it came from, so what comes back in is the same framework's.
    refuse: refuse as Guard['refuse'],
  })

  const fault = (request: R, error: unknown): GuardOutcome => {
    report('verify', error)
    return { response: refuse('store_unavailable', request, { retryAfterSeconds: retryAfterOf(error) }) }
  }

  const settle = (request: R, seen: RequestLike, before: Admission | undefined, answer: unknown): GuardOutcome => {
    const verification = readVerification(answer)
    if (verification === undefined) return fault(request, new StoreUnavailableError('the decision made no sense'))
    if (verification.ok) {
      const { principal } = verification
      const use = useOf(guard, before, principal, seen.ip)
      if (checkSharing !== undefined && principal.tokenId !== undefined) checkSharing(principal.tokenId, seen.ip, onWarning)
      admit(request, { guard, principal, use, limitedIn: limitsOf(resources, principal) })
      return { principal, use }
    }
    if (verification.code === 'ip_denied') warnOfAddress(seen, platform.trustsProxy(request), onWarning)
    const { code, retryAfterSeconds, rates } = verification
    return { response: refuse(publicCode(code), request, { retryAfterSeconds, rates }) }
  }

  const cameFrom = ({ method, headers, host }: RequestLike): ReturnType<typeof originOf> =>
    originOf(platform.upgrades === true ? 'CONNECT' : method, headers, host?.(), onWarning)

  /** Admits whoever the host let in. No use is counted. */
  const welcome = (
    request: R,
    answer: MaybePromise<Principal | undefined>,
    settle: (principal: Principal | undefined) => PlainResponse | undefined,
  ): MaybePromise<GuardOutcome> => {
    const settled = (principal: Principal | undefined): GuardOutcome => {
      const response = settle(principal)
      if (response !== undefined) return { response }
      admit(request, { guard, principal, use: undefined, limitedIn: limitsOf(resources, principal) })
      return principal === undefined ? { anonymous: true } : { principal, use: undefined }
    }
    if (!(answer instanceof Promise)) return settled(answer)
    return answer.then(settled).catch((error: unknown) => fault(request, error))
  }

  const bySession = (request: R, seen: RequestLike): MaybePromise<GuardOutcome> => {
    // A credential of any kind, good or not, is what the request is to be judged by.
    const asked = host.session !== undefined && fieldValues(seen.headers, 'authorization').length === 0
    return welcome(request, asked ? host.session(request) : undefined, (principal) => {
      if (principal === undefined) return optional ? undefined : refuse('credential_missing', request)
      // Browsers send a session with every request, whoever asked for it.
      return cameFrom(seen) === 'own' ? undefined : refuse('cross_site', request)
    })
  }
  const checkTrust = createTrustCheck(platform.believesCallers, onWarning)

  /** The request; `undefined` where it cannot be told who sent it. All that is the host's in it is how the client's address is found. */
  const read = (request: R): RequestLike | undefined => {
    try {
      return platform.read(request)
    } catch (error) {
      report('ip', error)
      return undefined
    }
  }

  const decide = (request: R): MaybePromise<GuardOutcome> => {
    const before = admissionOf(request)
    admit(request, undefined)
    const seen = read(request)
    if (seen === undefined) return { response: refuse('store_unavailable', request) }
    checkTrust(request)
    const presented = reader.read(seen.headers)
    if (presented.kind === 'malformed') return { response: refuse('credential_malformed', request, { why: presented.reason }) }
    if (presented.kind === 'missing') return bySession(request, seen)
    // Browsers resend Basic to wherever a page points. Programs do not say where they come from.
    if (presented.kind === 'token' && presented.resent && cameFrom(seen) === 'other') return { response: refuse('cross_site', request) }
    if (presented.kind === 'token' && host.foreign !== undefined && decider.isOwn?.(presented.token) === false) {
      return welcome(request, host.foreign(presented.token, request), (principal) =>
        principal === undefined ? refuse('token_invalid', request) : undefined,
      )
    }
    // One request counts once against rate limits, however many guards of this instance it passes.
    const admitted = before?.guard.decider === decider ? before.principal : undefined
    const seenBy = admitted === undefined ? { ip: seen.ip, method: seen.method } : { ip: seen.ip, method: seen.method, admitted }
    const answer: unknown =
      presented.kind === 'token' ? decider.decide(presented.token, seenBy) : (decider.redeem?.(presented.ticket, seenBy) ?? NO_TICKETS)
    if (!isThenable(answer)) return settle(request, seen, before, answer)
    return Promise.resolve(answer)
      .then((value: unknown) => settle(request, seen, before, value))
      .catch((error: unknown) => fault(request, error))
  }

  const authenticate = (request: R): MaybePromise<GuardOutcome> => {
    try {
      return decide(request)
    } catch (error) {
      return fault(request, error)
    }
  }
  return Object.assign(authenticate, { guard })
}

// A second guard of the same instance counts no second use. That is a mistake, except where an optional guard comes before a strict one.
function useOf(guard: Guard, before: Admission | undefined, principal: Principal, ip: string | undefined): Use {
  if (before?.use !== undefined && before.guard.decider === guard.decider) {
    if (before.guard === guard || !before.guard.optional) warn('LATCHKEY_W001', guard.onWarning)
    if (before.use.tokenId === principal.tokenId) return before.use
  }
  return startUse(guard.decider, principal, ip)
}

/** Where nobody makes tickets, none is good. */
const NO_TICKETS = { ok: false, code: 'token_unknown' } as const

type Answer =
  | { readonly ok: true; readonly principal: Principal }
  | {
      readonly ok: false
      readonly code: string
      readonly retryAfterSeconds: number | undefined
      readonly rates: readonly RateState[] | undefined
    }

// Read as if it came from a stranger: only the exact shape of a verification lets anybody in.
function readVerification(answer: unknown): Answer | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined
  const ok: unknown = Reflect.get(answer, 'ok')
  if (ok === true) {
    const principal: unknown = Reflect.get(answer, 'principal')
    return isPrincipal(principal) ? { ok, principal } : undefined
  }
  const code: unknown = Reflect.get(answer, 'code')
  if (ok !== false || typeof code !== 'string') return undefined
  const seconds: unknown = Reflect.get(answer, 'retryAfterSeconds')
  return { ok, code, retryAfterSeconds: typeof seconds === 'number' ? seconds : undefined, rates: readRates(Reflect.get(answer, 'rates')) }
}

function isPrincipal(value: unknown): value is Principal {
  if (typeof value !== 'object' || value === null) return false
  const tokenId: unknown = Reflect.get(value, 'tokenId')
  return typeof tokenId === 'string' && tokenId !== '' && typeof Reflect.get(value, 'allows') === 'function'
}

// A token is refused for an address that most likely is not the client's.
function warnOfAddress(seen: RequestLike, trustsProxy: boolean | undefined, onWarning: OnWarning | undefined): void {
  if (normalizeIp(seen.ip) === undefined) warn('LATCHKEY_W005', onWarning)
  else if (trustsProxy === false && isForwarded(seen)) warn('LATCHKEY_W003', onWarning)
}

function isForwarded(seen: RequestLike): boolean {
  return fieldValues(seen.headers, 'x-forwarded-for').length > 0 || fieldValues(seen.headers, 'forwarded').length > 0
}

function retryAfterOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const seconds: unknown = Reflect.get(error, 'retryAfterSeconds')
  return typeof seconds === 'number' ? seconds : undefined
}
