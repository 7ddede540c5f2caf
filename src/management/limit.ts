import type { Internals, Latchkey } from '../instance.js'
import type { Actor } from '../model/actor.js'
import type { Principal } from '../model/principal.js'
import { actorKey, holderKey } from '../rate-limit/key.js'
import type { Rated } from '../rate-limit/rates.js'
import { TokenPrincipal } from '../verify/principal.js'
import { RateRefusal } from './fault.js'
import type { ManagementSettings } from './options.js'
import { holderActor } from './routes/self.js'

/** Counts calls against the option `rateLimit`, before anything else is done for them. */
export type CallLimits = {
  /**
   * `leftMs`: what the `actor` callback left of the deadline.
   *
   * @throws RateRefusal `rate_limited`
   */
  actor(actor: Actor, leftMs: number): Promise<void>
  /** @throws RateRefusal `rate_limited` */
  holder(principal: Principal): Promise<void>
}

/** Makes the limits on calls. Without the option nothing is counted. */
export function createCallLimits(tokens: Latchkey, inside: Internals, { rates }: ManagementSettings): CallLimits {
  const { prefix } = tokens
  return {
    async actor(actor, leftMs) {
      if (rates === undefined) return
      refuseBeyond(await rates.take(actor, (limit) => actorKey(limit, prefix, actor), inside.settings.clock(), leftMs))
    },
    async holder(principal) {
      const rootId = TokenPrincipal.rootIdOf(principal)
      if (rates === undefined || rootId === undefined) return
      const actor = holderActor(principal)
      refuseBeyond(await rates.take(actor, (limit) => holderKey(limit, prefix, rootId), inside.settings.clock()))
    },
  }
}

function refuseBeyond({ states, refusedBy }: Rated): void {
  if (refusedBy !== undefined) throw new RateRefusal(states, refusedBy)
}
