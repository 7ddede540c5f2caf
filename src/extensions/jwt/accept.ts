import { InvalidInputError } from '../../errors.js'
import type { Authenticator } from '../../instance.js'
import type { MaybePromise } from '../../model/json.js'
import type { Principal, Verification, VerifyContext } from '../../model/principal.js'
import { claimedIssuer, looksSigned } from './read-claims.js'
import { SignedPrincipal } from './signed-principal.js'

/**
 * One authenticator for several kinds of tokens: API tokens by an instance, signed ones by the verifier of the issuer that they name.
 *
 * The claim only chooses who verifies; whom it chooses verifies everything.
 *
 * @throws InvalidInputError `invalid_input`
 * @example
 * ```ts
 * app.use('/api', authenticate(accept(tokens, verifySigned({ … }), foreignTokens({ … }))))
 * ```
 */
export function accept(tokens: Authenticator, ...verifiers: readonly Authenticator[]): Authenticator {
  const byIssuer = new Map<unknown, Authenticator>()
  for (const verifier of verifiers) {
    const issuer: unknown = Reflect.get(verifier, 'issuer')
    if (typeof issuer !== 'string' || byIssuer.has(issuer)) throw new InvalidInputError('verifiers', 'each must be of an issuer of its own')
    byIssuer.set(issuer, verifier)
  }
  return Object.freeze({
    ...(tokens.catalogue !== undefined && { catalogue: tokens.catalogue }),
    decide(token: unknown, context?: VerifyContext): MaybePromise<Verification> {
      const verifier = looksSigned(token) ? byIssuer.get(claimedIssuer(token)) : undefined
      return (verifier ?? tokens).decide(token, context)
    },
    countUse(principal: Principal, use: Parameters<Authenticator['countUse']>[1]): void {
      if (!(principal instanceof SignedPrincipal)) tokens.countUse(principal, use)
    },
  })
}
