import { InvalidInputError } from '../../errors.js'
import { AUTHENTICATOR, type Authenticator, type Decider, deciderOf, registerDecider } from '../../instance.js'
import { decideAndCount } from './decide-and-count.js'
import { claimedIssuer, looksSigned } from './read-claims.js'
import { SignedPrincipal } from './signed-principal.js'

/**
 * Combines several authenticators: an instance verifies API tokens, and each signed token is verified by the verifier of the issuer that it names.
 *
 * The `iss` claim only selects the verifier, which then verifies everything, that claim included.
 *
 * @throws InvalidInputError `invalid_input`
 * @example
 * ```ts
 * app.use('/api', authenticate(accept(tokens, verifySigned({ … }), foreignTokens({ … }))))
 * ```
 */
export function accept(tokens: Authenticator, ...verifiers: readonly Verifier[]): Authenticator {
  const own = deciderOf(tokens)
  const byIssuer = new Map<unknown, Decider>()
  for (const verifier of verifiers) {
    const issuer: unknown = Reflect.get(Object(verifier), 'issuer')
    if (typeof issuer !== 'string' || byIssuer.has(issuer)) throw new InvalidInputError('verifiers', 'each must have a different issuer')
    byIssuer.set(issuer, deciderOf(verifier))
  }
  const decider: Decider = {
    root: own.root ?? own,
    catalogue: own.catalogue,
    report: own.report,
    resources: own.resources,
    deadlineMs: own.deadlineMs,
    monotonic: own.monotonic,
    looksUpForgeries: own.looksUpForgeries,
    imported: own.imported,
    decide(token, context) {
      const verifier = looksSigned(token) ? byIssuer.get(claimedIssuer(token)) : undefined
      return verifier === undefined ? own.decide(token, context) : verifier.decide(token, context, own.deadlineMs)
    },
    ...(own.redeem !== undefined && { redeem: own.redeem }),
    giveBackTicket: (principal) => own.giveBackTicket?.(principal),
    refusalsSpent: (principal) => own.refusalsSpent?.(principal),
    flush: async () => own.flush?.(),
    isOwn: (credential) => (looksSigned(credential) && byIssuer.has(claimedIssuer(credential))) || own.isOwn?.(credential) !== false,
    ...(own.resolve !== undefined && { resolve: own.resolve }),
    ...(own.suggest !== undefined && { suggest: own.suggest }),
    openUses: own.openUses,
    countUse(principal, use) {
      if (!(principal instanceof SignedPrincipal)) own.countUse(principal, use)
    },
  }
  const both: Authenticator = Object.freeze({ [AUTHENTICATOR]: true as const, verify: decideAndCount(decider) })
  registerDecider(both, decider)
  return both
}

/** A verifier for the signed tokens of one issuer. */
export interface Verifier extends Authenticator {
  /** The `iss` of the tokens that it verifies. */
  readonly issuer: string
}
