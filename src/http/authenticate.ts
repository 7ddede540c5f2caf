import { StoreUnavailableError } from '../errors.js'
import { type Authenticator, deciderOf } from '../instance.js'
import { noteCopy } from '../model/copies.js'
import type { MaybePromise } from '../model/json.js'
import type { Principal } from '../model/principal.js'
import { isThenable } from '../store/deadline.js'
import { tellableFault } from '../store/describe-fault.js'
import { isKnown, limitsOf } from '../verify/route-check.js'
import { type Admission, admissionOf, admit, type Guard, type GuardOutcome, withdraw } from './admission.js'
import { askHost } from './ask-host.js'
import { atOnce } from './at-once.js'
import { isContinued, settleEarlier, useOf } from './continued-use.js'
import { createCredentialReader, type Decidable } from './credential.js'
import { warn } from './diagnostics.js'
import { type AuthenticateOptions, readOptions, systemMonotonic } from './options.js'
import { type PlainResponse, publicCode } from './problem.js'
import { readPrincipal, readRefusal } from './read-answer.js'
import { createRefusals } from './refuse.js'
import { fieldValues, type Platform, type RequestLike } from './request.js'
import { originOf } from './same-origin.js'
import { secretsIn } from './secrets-in.js'
import { sharingCheckOf } from './shared-address.js'
import { createTrustCheck, warnOfAddress } from './trust-check.js'
import { type Decision, register, underWay } from './under-way.js'
import { type Use, undoUse } from './use.js'

/** Decides whether to admit a request. Never throws and never rejects. `rawHeaders`: its list of header fields, if the adapter has already read it. */
export type Authenticate<R> = ((request: R, rawHeaders?: readonly string[]) => MaybePromise<GuardOutcome>) & { readonly guard: Guard }

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
  const takeEarlier = platform.keepsAdmission === true ? admissionOf : withdraw
  const ownFields = reader.fields.filter((name) => name !== 'authorization')
  const guard: Guard = Object.freeze({
    decider,
    optional,
    vary: ownFields.length === 0 ? undefined : ownFields.join(', '),
    onWarning,
    knows(scope) {
      const known = isKnown(decider.catalogue, scope)
      if (!known) warnUnknown(scope)
      return known
    },
    // After an asynchronous decision, nothing handles an exception, which would end the process.
    admitBy(admit, outcome, request, response) {
      try {
        const refusal = admit(outcome, request, response)
        if (refusal !== undefined) undoUse(outcome?.use ?? admissionOf(Object(request))?.use)
        return refusal
      } catch (error) {
        return notAdmitted(Object(request), outcome?.use, error)
      }
    },
    // An admission is keyed by its request, so later calls pass a request of the same framework.
    refuse: refuse as Guard['refuse'],
    secretsOf: secretsOf as Guard['secretsOf'],
  })

  // The functions that every request passes through create no closures, because an engine would allocate a closure's variables for every request.
  const warnUnknown = (scope: string): void => {
    const meant = (): string => {
      const name = decider.suggest?.(scope)
      return name === undefined ? scope : `${scope}; did you mean ${name}?`
    }
    warn('LATCHKEY_W004', onWarning, meant, scope)
  }

  const notAdmitted = (request: R, use: Use | undefined, error: unknown): PlainResponse => {
    report('verify', error, () => secretsOf(request))
    undoUse(use ?? admissionOf(request)?.use)
    return refuse('store_unavailable', request)
  }

  const fault = (request: R, error: unknown): GuardOutcome => {
    report('verify', error, () => secretsOf(request))
    return { response: refuse('store_unavailable', request, { retryAfterSeconds: retryAfterOf(error) }) }
  }

  const settle = (
    request: R,
    seen: RequestLike,
    before: Admission | undefined,
    answer: unknown,
    spentMs: number,
    rawHeaders: readonly string[] | undefined,
  ): GuardOutcome => {
    const principal = readPrincipal(answer)
    if (principal !== undefined) {
      if (checkSharing !== undefined && principal.tokenId !== undefined) checkSharing(principal.tokenId, seen.ip, onWarning)
      const limitedIn = limitsOf(resources, principal)
      const use = useOf(guard, before, principal, seen.ip)
      const admission = { guard, principal, spentMs, use, limitedIn, response: undefined }
      try {
        admit(request, admission, rawHeaders)
      } catch (error) {
        undoUse(use)
        throw error
      }
      return admission
    }
    const refused = readRefusal(answer)
    if (refused === undefined) return fault(request, new StoreUnavailableError('the decision has an unknown form'))
    if (refused.code === 'ip_denied') warnOfAddress(seen, platform.trustsProxy(request), onWarning)
    const { code, retryAfterSeconds, rates } = refused
    return { response: refuse(publicCode(code), request, { retryAfterSeconds, rates }) }
  }

  const settleLate = (
    request: R,
    seen: RequestLike,
    before: Admission | undefined,
    answer: PromiseLike<unknown>,
    rawHeaders: readonly string[] | undefined,
    isShared: boolean,
  ): Promise<GuardOutcome> => {
    const begunAt = monotonic()
    // The guard whose answer this is has admitted the request in the meantime.
    const latest = (): Admission | undefined => (isShared ? takeEarlier(request, rawHeaders) : undefined) ?? before
    return Promise.resolve(answer)
      .then((value: unknown) => settle(request, seen, latest(), value, monotonic() - begunAt, rawHeaders))
      .catch((error: unknown) => fault(request, error))
  }

  const cameFrom = (request: R, { method, headers }: RequestLike): ReturnType<typeof originOf> =>
    platform.checksOrigin === true
      ? 'own'
      : originOf(
          platform.upgrades === true ? 'CONNECT' : method,
          headers,
          platform.host?.(request),
          platform.isSecure?.(request),
          onWarning,
        )

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
      return cameFrom(request, seen) === 'own' ? undefined : refuse('cross_site', request)
    })
  }

  const byForeign = (request: R, answer: MaybePromise<Principal | undefined>): MaybePromise<GuardOutcome> =>
    welcome(request, answer, (principal) => (principal === undefined ? refuse('token_invalid', request) : undefined))

  const checkTrust = createTrustCheck(platform.believesCallers, onWarning)

  /** Reads the request. Returns `undefined` when the client cannot be identified: reading its address may run the host's code. */
  const readRequest = (request: R, rawHeaders: readonly string[] | undefined): RequestLike | undefined => {
    try {
      const seen = platform.read(request, rawHeaders)
      atOnce('ip', seen.ip)
      return seen
    } catch (error) {
      report('ip', tellableFault('ip failed', error, secretsOf(request)))
      return undefined
    }
  }

  const decide = (request: R, before: Admission | undefined, rawHeaders: readonly string[] | undefined): MaybePromise<GuardOutcome> => {
    const seen = readRequest(request, rawHeaders)
    if (seen === undefined) return { response: refuse('store_unavailable', request) }
    checkTrust(request)
    const presented = reader.read(seen.headers)
    if (presented.kind === 'malformed') return { response: refuse('credential_malformed', request, { why: presented.reason }) }
    if (presented.kind === 'missing') return bySession(request, seen)
    // Browsers resend Basic credentials on requests from any page. Other programs do not send an origin.
    if (presented.kind === 'token' && presented.resent && cameFrom(request, seen) === 'other')
      return { response: refuse('cross_site', request) }
    if (presented.kind === 'token' && host.foreign !== undefined && decider.isOwn?.(presented.token) === false) {
      return byForeign(request, host.foreign(presented.token, request))
    }
    return decideOn(request, seen, presented, before, rawHeaders)
  }

  const decideOn = (
    request: R,
    seen: RequestLike,
    presented: Decidable,
    before: Admission | undefined,
    rawHeaders: readonly string[] | undefined,
  ): MaybePromise<GuardOutcome> => {
    // Two guards that decide at the same time would each count the request. A guard that begins later must see the changes made in the meantime.
    const earlier = presented.kind === 'token' ? underWay(request, decider, presented.token) : undefined
    if (earlier?.decider === decider && earlier.isNew && earlier.ip === seen.ip)
      return settleLate(request, seen, before, earlier.answer, rawHeaders, true)
    if (earlier !== undefined) return decideAfter(earlier, request, seen, presented, before, rawHeaders)
    // A request counts once against rate limits, even if it passes several guards of this instance.
    const admitted = before !== undefined && isContinued(before, decider) ? (before.use?.principal ?? before.principal) : undefined
    const seenBy = admitted === undefined ? { ip: seen.ip, method: seen.method } : { ip: seen.ip, method: seen.method, admitted }
    const answer: unknown =
      presented.kind === 'token' ? decider.decide(presented.token, seenBy) : (decider.redeem?.(presented.ticket, seenBy) ?? NO_TICKETS)
    if (!isThenable(answer)) return settle(request, seen, before, answer, 0, rawHeaders)
    const outcome = settleLate(request, seen, before, answer, rawHeaders, false)
    if (presented.kind === 'token') register(request, { decider, token: presented.token, ip: seen.ip, answer, outcome })
    return outcome
  }

  /**
   * Decides after another decision of the same instance, and continues its admission. The two may be answered differently, so they share an answer only if
   * the earlier one failed: deciding again would most likely take another deadline, and fail as well.
   */
  const decideAfter = async (
    earlier: Decision,
    request: R,
    seen: RequestLike,
    presented: Decidable,
    before: Admission | undefined,
    rawHeaders: readonly string[] | undefined,
  ): Promise<GuardOutcome> => {
    let latest = before
    let decided: MaybePromise<GuardOutcome>
    try {
      await earlier.outcome
      latest = takeEarlier(request, rawHeaders) ?? before
      if (earlier.decider === decider) await earlier.answer
      decided = decideOn(request, seen, presented, latest, rawHeaders)
    } catch (error) {
      decided = fault(request, error)
    }
    // The caller of this function settles `before` itself.
    return await (latest === undefined || latest === before ? decided : settleEarlier(request, latest, decided, rawHeaders))
  }

  const authenticate = (request: R, rawHeaders?: readonly string[]): MaybePromise<GuardOutcome> => {
    let before: Admission | undefined
    let outcome: MaybePromise<GuardOutcome>
    try {
      before = takeEarlier(request, rawHeaders)
      outcome = decide(request, before, rawHeaders)
    } catch (error) {
      outcome = fault(request, error)
    }
    return before === undefined ? outcome : settleEarlier(request, before, outcome, rawHeaders)
  }
  return Object.assign(authenticate, { guard })
}

/** A decider without tickets accepts none. */
const NO_TICKETS = { ok: false, code: 'token_unknown' } as const

function retryAfterOf(error: unknown): number | undefined {
  // A callback may throw any value, and reading its fields may throw again.
  try {
    const seconds: unknown = Reflect.get(Object(error), 'retryAfterSeconds')
    return typeof seconds === 'number' ? seconds : undefined
  } catch {
    return undefined
  }
}
