import type { Authenticator, Decider } from '../../instance.js'

/** `verify` by a decider: the decision, and one use counted when it is allowed. */
export function decideAndCount(decider: Decider): Authenticator['verify'] {
  return async function verify(token, context) {
    const verification = await decider.decide(token, context)
    if (verification.ok) {
      const { ip, endpoint, method } = context ?? {}
      const route = endpoint === undefined || method === undefined ? endpoint : `${method} ${endpoint}`
      decider.countUse(verification.principal, { ...(route !== undefined && { endpoint: route }), ...(ip !== undefined && { ip }) })
    }
    return verification
  }
}
