import { userInfo } from 'node:os'
import type { Actor } from '../../model/actor.js'
import { ownActor } from '../../model/own-actor.js'

/** Returns the actor: `cli:` and the operating system's user name, or the given name. Anyone who can read the configuration can do everything. */
export function cliActor(name: string | undefined): Actor {
  return ownActor({ id: `cli:${name ?? systemUser()}`, tenants: '*', manages: 'all' })
}

function systemUser(): string {
  try {
    return userInfo().username
  } catch {
    // Containers often run under user IDs without a name.
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}
