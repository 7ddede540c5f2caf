import type { Warning } from '../../src/http/diagnostics.js'
import type { AuthenticateOptions } from '../../src/http/options.js'
import type { Problem } from '../../src/http/problem.js'
import type { ScopeArguments } from '../../src/http/requirement.js'
import type { Latchkey } from '../../src/instance.js'
import type { MaybePromise } from '../../src/model/json.js'
import type { Principal } from '../../src/model/principal.js'
import type { TokenStore } from '../../src/store/port.js'

/** An adapter under test. */
export type HttpHarness = {
  /** What the suite is called in the report. */
  readonly name: string
  /** An empty store for one part of the suite. */
  store(): TokenStore
  /** Starts a server on 127.0.0.1, or on every address, with these routes, built as users of the adapter would. */
  start(site: HttpSite): Promise<RunningSite>
  /** The names of vectors that do not hold on this framework. The harness says why; one that does not exist fails. */
  readonly except?: readonly string[]
  /** For each case. @default 60 */
  readonly timeoutSeconds?: number
}

/** A server under test. */
export type RunningSite = { readonly port: number; close(): MaybePromise<unknown> }

/** What a harness serves. */
export type HttpSite = {
  readonly tokens: Latchkey
  /** Goes to `authenticate` as it is. */
  readonly options: {
    readonly optional?: boolean
    readonly realm?: string
    readonly credential?: AuthenticateOptions<object>['credential']
    readonly session?: AuthenticateOptions<object>['session']
    readonly foreign?: AuthenticateOptions<object>['foreign']
    readonly errorBody?: (problem: Problem) => object
    readonly onWarning?: (warning: Warning) => void
  }
  /** Shall the framework believe X-Forwarded-For? */
  readonly trustProxy: boolean
  /** In this order. */
  readonly routes: readonly SiteRoute[]
}

/** A route that the harness serves. */
export type SiteRoute = {
  readonly method: 'ALL' | 'GET' | 'POST'
  /** In the form that all the frameworks share: `/api/warehouses/:id`. */
  readonly path: string
  /** Stands behind `authenticate`, mounted on `/api` in the way that the framework's users do. */
  readonly guarded: boolean
  /** Stands in a router, sub-application or plugin of its own, mounted on `/api/nested`. */
  readonly nested: boolean
  /** The arguments of `requireScopes`, or `undefined` where there is none. `find` reads a parameter of the path. */
  requirement<R>(find: (request: R, name: string) => string | readonly string[] | undefined): ScopeArguments<R> | undefined
  /** What the handler does: the answer is sent as JSON with status 200. `principal` reads what the adapter attached, at that moment. */
  answer(principal: () => Principal | undefined): Promise<object>
}
