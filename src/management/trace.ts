import { type Code, isLatchkeyError, type LatchkeyError } from '../errors.js'
import { isSession } from '../http/host-principal.js'
import type { Internals } from '../instance.js'
import type { Principal } from '../model/principal.js'
import type { Access, Asking, Caller } from './access.js'

/** Refusals of a request that come before any verb: what a verb refuses, it records itself. */
const TRACED: ReadonlySet<Code> = new Set(['actor_missing', 'token_cannot_manage', 'cross_site', 'scope_insufficient', 'rate_limited'])

/** One refused request. */
export type Refused = {
  readonly error: unknown
  /** Method and pattern of the route; absent for paths that there are not. */
  readonly route?: { readonly method: string; readonly path: string } | undefined
  readonly request: Request
  readonly caller: Caller
  /** The token that asked, where one did. */
  readonly principal?: Principal | undefined
  /** Who asks, where somebody has been asked already. */
  readonly asking?: Promise<Asking> | undefined
}

/** Makes what records refused requests, coalesced and off the request's path. */
export function createTrace(inside: Internals, access: Access): ((refused: Refused) => void) & { settled(): Promise<unknown> } {
  // One that is recorded where more is known of it passes again on its way out.
  const recorded: WeakSet<LatchkeyError> = new WeakSet()
  async function whoOf({ error, request, caller, asking }: Refused): Promise<Asking | undefined> {
    const { code } = error as LatchkeyError
    // Those of another site are told by the person whose browser was used for it.
    if (asking === undefined && code !== 'cross_site') return undefined
    return (asking ?? access.actor(request, caller)).catch(() => undefined)
  }
  async function record(refused: Refused): Promise<void> {
    const { error, route, caller } = refused
    // A session is a person's, who is named by the `actor` callback.
    const principal = refused.principal ?? (isSession(caller.principal) ? undefined : caller.principal)
    if (!isLatchkeyError(error) || !TRACED.has(error.code) || recorded.has(error)) return
    recorded.add(error)
    const { code, field } = error
    const attempt = route === undefined ? 'another path' : `${route.method} ${route.path}`
    const who = principal === undefined ? await whoOf(refused) : undefined
    inside.noteAttempt({ attempt, code, field, ip: caller.ip, principal, actor: who?.actor })
  }
  const underWay = new Set<Promise<void>>()
  function trace(refused: Refused): void {
    // An instance that is closed meanwhile records nothing more.
    const work = record(refused)
      .catch(() => undefined)
      .finally(() => underWay.delete(work))
    underWay.add(work)
  }
  return Object.assign(trace, { settled: () => Promise.all(underWay) })
}
