import type { Code } from '../errors.js'
import type { Actor } from './actor.js'
import type { Principal } from './principal.js'

/** A request that was refused before it reached a verb, for the audit log. */
export type Attempted = {
  /** The route. */
  readonly attempt: string
  readonly code: Code
  readonly field?: string | undefined
  readonly ip?: string | undefined
  /** The person who made the request. Absent if a token made the request, or if the request does not identify anyone. */
  readonly actor?: Actor | undefined
  readonly principal?: Principal | undefined
}
