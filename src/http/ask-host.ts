import { isInvalidInput } from '../errors.js'
import type { Decider } from '../instance.js'
import type { MaybePromise } from '../model/json.js'
import type { Principal } from '../model/principal.js'
import { scopeSet } from '../policy/scope-set.js'
import { type CallSite, callOut } from '../store/deadline.js'
import { withoutTexts } from '../token/redact.js'
import { warn } from './diagnostics.js'
import { foreignPrincipal, sessionPrincipal } from './host-principal.js'
import { type AuthenticateOptions, CALLBACK_DEADLINE_MS } from './options.js'

/** The host's own ways to authenticate a request. Each resolves to `undefined` if there is no principal, and rejects if no decision is possible. */
export type HostCallbacks<R> = {
  readonly session: ((request: R) => MaybePromise<Principal | undefined>) | undefined
  readonly foreign: ((credential: string, request: R) => MaybePromise<Principal | undefined>) | undefined
}

/** Prepares the callbacks `session` and `foreign` of `authenticate`. */
export function askHost<R>(
  { session, foreign, onWarning }: AuthenticateOptions<R>,
  decider: Decider,
  secretsOf: (request: R) => readonly string[],
): HostCallbacks<R> {
  const resolve = decider.resolve ?? scopeSet
  const all = scopeSet(Object.keys(decider.catalogue ?? {}))

  /** Reads an answer. An incomplete answer is reported to the host's developer, and the request is refused. */
  const reading =
    (code: 'LATCHKEY_W008' | 'LATCHKEY_W009', read: (answer: unknown) => Principal) =>
    (request: R) =>
    (answer: unknown): Principal | undefined => {
      if (answer === undefined || answer === null || answer === false) return undefined
      try {
        return read(answer)
      } catch (error) {
        // The message quotes names from the answer, which may be made from the request.
        warn(code, onWarning, isInvalidInput(error) ? withoutTexts(error.message, secretsOf(request)) : '')
        throw error
      }
    }
  const readSession = reading('LATCHKEY_W008', (answer) => sessionPrincipal(answer, all, resolve))
  const readForeign = reading('LATCHKEY_W009', (answer) => foreignPrincipal(answer, resolve))

  const { report } = decider
  const site = (where: 'session' | 'foreign', request: R): CallSite => ({
    what: `the ${where} callback`,
    where,
    deadlineMs: decider.deadlineMs ?? CALLBACK_DEADLINE_MS,
    report,
    secrets: () => secretsOf(request),
  })

  return {
    session: session && ((request) => callOut(site('session', request), () => session(request), readSession(request))),
    foreign:
      foreign && ((credential, request) => callOut(site('foreign', request), () => foreign(credential, request), readForeign(request))),
  }
}
