import type { TokenHolder } from '../cache/standing.js'
import type { Internals, Latchkey } from '../instance.js'
import type { Actor } from '../model/actor.js'
import { holderActor } from '../model/own-actor.js'
import { actorKey, holderKey } from '../rate-limit/key.js'
import type { Rated } from '../rate-limit/rates.js'
import { RateRefusal } from './fault.js'
import type { ManagementSettings } from './options.js'

/** Counts calls against the `rateLimit` option before any other work. */
export type CallLimits = {
  /**
   * `leftMs` is the remaining deadline of the request.
   *
   * @throws RateRefusal `rate_limited`
   */
  actor(actor: Actor, leftMs: number | undefined): Promise<void>
  /** @throws RateRefusal `rate_limited` */
  holder(token: TokenHolder, leftMs: number | undefined): Promise<void>
}

/** Creates the limits on calls. Without the option, nothing is counted. */
export function createCallLimits(tokens: Latchkey, inside: Internals, { rates }: ManagementSettings): CallLimits {
  const { prefix } = tokens
  return {
    async actor(actor, leftMs) {
      if (rates === undefined) return
      refuseBeyond(
        await rates.take(
          () => actor,
          (limit) => actorKey(limit, prefix, actor),
          inside.settings.clock(),
          leftMs,
        ),
      )
    },
    async holder(token, leftMs) {
      if (rates === undefined) return
      const holder = holderActor(token)
      refuseBeyond(
        await rates.take(
          () => holder,
          (limit) => holderKey(limit, prefix, token.rootId),
          inside.settings.clock(),
          leftMs,
        ),
      )
    },
  }
}

function refuseBeyond({ states, refusedBy }: Rated): void {
  if (refusedBy !== undefined) throw new RateRefusal(states, refusedBy)
}
