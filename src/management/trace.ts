import { type Code, isLatchkeyError, type LatchkeyError } from '../errors.js'
import { isSession } from '../http/host-principal.js'
import type { Internals } from '../instance.js'
import type { Principal } from '../model/principal.js'
import type { Access, Asking, Caller } from './access.js'

/** Codes of refusals that happen before any verb runs. Verbs record their own refusals. */
const TRACED: ReadonlySet<Code> = new Set(['actor_missing', 'token_cannot_manage', 'cross_site', 'scope_insufficient', 'rate_limited'])

/** One refused request. */
export type Refused = {
  readonly error: unknown
  /** Method and pattern of the route. Absent for paths that do not exist. */
  readonly route?: { readonly method: string; readonly path: string } | undefined
  readonly request: Request
  readonly caller: Caller
  /** The calling token, if there is one. */
  readonly principal?: Principal | undefined
  /** The signed-in person, if already being identified. */
  readonly asking?: Promise<Asking> | undefined
}

/** Creates the function that records refused requests, coalesced and without delaying the response. */
export function createTrace(inside: Internals, access: Access): ((refused: Refused) => void) & { settled(): Promise<unknown> } {
  // An error recorded with more detail earlier passes through here again.
  const recorded: WeakSet<LatchkeyError> = new WeakSet()
  async function whoOf({ error, request, caller, asking }: Refused): Promise<Asking | undefined> {
    const { code } = error as LatchkeyError
    // For a cross-site request, identify the person whose browser was used.
    if (asking === undefined && code !== 'cross_site') return undefined
    return (asking ?? access.actor(request, caller)).catch(() => undefined)
  }
  async function record(refused: Refused): Promise<void> {
    const { error, route, caller } = refused
    // A session belongs to a person, whom the `actor` callback identifies.
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
    // If the instance closes in the meantime, nothing more is recorded.
    const work = record(refused)
      .catch(() => undefined)
      .finally(() => underWay.delete(work))
    underWay.add(work)
  }
  return Object.assign(trace, { settled: () => Promise.all(underWay) })
}
