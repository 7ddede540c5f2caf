import type { Context } from '../verify/context.js'
import type { ReadActor } from './lib/actor.js'

/**
 * Lists what an actor may grant to a token: scopes, groups, the wildcard of each first word, and `*` where the options allow it.
 *
 * Looks only at the actor, to tell a form what to offer. `create` and `update` decide whether a grant is allowed.
 */
export function grantable(context: Context, actor: ReadActor): readonly string[] {
  return candidates(context).filter((grant) => mayGrant(context, actor, grant))
}

function candidates({ settings }: Context): readonly string[] {
  const { catalogue, groups, allowWildcard } = settings
  const words = new Set(catalogue.names.filter((name) => name.includes(':')).map((name) => name.slice(0, name.indexOf(':'))))
  return [
    ...catalogue.names,
    ...[...words].map((word) => `${word}:*`),
    ...(allowWildcard ? ['*'] : []),
    ...Object.keys(groups).map((name) => `@${name}`),
  ]
}

function mayGrant({ settings }: Context, actor: ReadActor, grant: string): boolean {
  if (settings.catalogue.whyNotGrantable(grant) !== undefined) return false
  return actor.scopes === undefined || settings.catalogue.grantable(actor.scopes, [grant], []) === undefined
}
