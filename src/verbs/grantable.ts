import type { Context } from '../verify/context.js'
import type { ReadActor } from './lib/actor.js'

/**
 * Lists what an actor may grant to a token: scopes, groups, the wildcard of each first word, and `*` where the options allow it.
 *
 * Looks only at the actor, to tell a form what to offer. `create` and `update` decide whether a grant is allowed.
 */
export function grantable({ settings: { catalogue } }: Context, actor: ReadActor): readonly string[] {
  return actor.scopes === undefined ? catalogue.grants() : catalogue.grantableOf(actor.scopes)
}
