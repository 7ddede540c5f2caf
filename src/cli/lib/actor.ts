import { userInfo } from 'node:os'
import type { Actor } from '../../model/actor.js'
import { ownActor } from '../../model/own-actor.js'

/** Who acts: `cli:` and the user of the system, or the name that was given. Whoever can read the configuration can do everything. */
export function cliActor(name: string | undefined): Actor {
  return ownActor({ id: `cli:${name ?? systemUser()}`, tenants: '*', manages: 'all' })
}

function systemUser(): string {
  try {
    return userInfo().username
  } catch {
    // Containers run under numbers that have no name.
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}
