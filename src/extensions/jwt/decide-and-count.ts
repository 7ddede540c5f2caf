import { endpointName } from '../../activity/endpoint-name.js'
import type { Authenticator, Decider } from '../../instance.js'
import type { Verification, VerifyContext } from '../../model/principal.js'
import { demandIn, readContext } from '../../verify/verify-slips.js'

/** Creates `verify` for a decider: it decides, and counts one use if the token is accepted. */
export function decideAndCount(decider: Decider): Authenticator['verify'] {
  return async function verify(token, given) {
    const context = readContext(given)
    const misplaced = context === undefined ? undefined : demandIn(context)
    if (misplaced !== undefined) throw misplaced
    const verification = await decide(decider, token, context)
    if (verification.ok) {
      const { ip, endpoint, method } = context ?? {}
      const route = endpoint === undefined || method === undefined ? endpoint : endpointName(method, endpoint)
      decider.countUse(verification.principal, { ...(route !== undefined && { endpoint: route }), ...(ip !== undefined && { ip }) })
    }
    return verification
  }
}

async function decide(decider: Decider, token: string, context: VerifyContext | undefined): Promise<Verification> {
  try {
    return await decider.decide(token, context)
  } catch (error) {
    decider.report('verify', error)
    throw error
  }
}
