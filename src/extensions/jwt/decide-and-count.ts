import { endpointName } from '../../activity/endpoint-name.js'
import type { Authenticator, Decider } from '../../instance.js'
import type { CountedUse } from '../../model/counted-use.js'
import { ownFields } from '../../model/own-fields.js'
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
      const { ip, endpoint, method } = context ?? ownFields<VerifyContext>({})
      const route = endpoint === undefined || method === undefined ? endpoint : endpointName(method, endpoint)
      const use: CountedUse = { ...(route !== undefined && { endpoint: route }), ip }
      decider.countUse(verification.principal, ownFields(use))
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
