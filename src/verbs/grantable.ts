import type { Context } from '../verify/context.js'
import type { ReadActor } from './lib/actor.js'

/**
 * Lists what an actor may grant to a token: scopes, groups, the wildcard of each first word, and `*` where the options allow it.
 *
 * Considers only the actor, so that a form knows what to offer. `create` and `update` decide whether a grant is allowed.
 */
export function grantable({ settings: { catalogue } }: Context, actor: ReadActor): readonly string[] {
  return actor.scopes === undefined ? catalogue.grants() : catalogue.grantableOf(actor.scopes)
}
