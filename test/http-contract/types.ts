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
  /** The name of the suite in the report. */
  readonly name: string
  /** Creates an empty store for one part of the suite. */
  store(): TokenStore
  /** Starts a server with these routes, on 127.0.0.1 or on every address, in the way that users of the adapter would build it. */
  start(site: HttpSite): Promise<RunningSite>
  /** The names of vectors that this framework cannot fulfill. The harness documents why; unknown names fail. */
  readonly except?: readonly string[]
  /** The timeout of each case. @default 60 */
  readonly timeoutSeconds?: number
}

/** A server under test. */
export type RunningSite = { readonly port: number; close(): MaybePromise<unknown> }

/** The site that a harness serves. */
export type HttpSite = {
  readonly tokens: Latchkey
  /** Passed to `authenticate` unchanged. */
  readonly options: {
    readonly optional?: boolean
    readonly realm?: string
    readonly credential?: AuthenticateOptions<object>['credential']
    readonly session?: AuthenticateOptions<object>['session']
    readonly foreign?: AuthenticateOptions<object>['foreign']
    readonly errorBody?: (problem: Problem) => object
    readonly onWarning?: (warning: Warning) => void
  }
  /** Whether the framework trusts X-Forwarded-For. */
  readonly trustProxy: boolean
  /** Register the routes in this order. */
  readonly routes: readonly SiteRoute[]
}

/** A route that the harness serves. */
export type SiteRoute = {
  readonly method: 'ALL' | 'GET' | 'POST'
  /** In the syntax shared by all frameworks: `/api/warehouses/:id`. */
  readonly path: string
  /** Whether the route is behind `authenticate`, mounted on `/api` in the framework's usual way. */
  readonly guarded: boolean
  /** Whether the route is in a separate router, sub-application or plugin, mounted on `/api/nested`. */
  readonly nested: boolean
  /** Returns the arguments of `requireScopes`, or `undefined` if the route has none. `find` reads a path parameter. */
  requirement<R>(find: (request: R, name: string) => string | readonly string[] | undefined): ScopeArguments<R> | undefined
  /** Runs the handler. Its result is sent as JSON with status 200. `principal` returns what the adapter has attached at that moment. */
  answer(principal: () => Principal | undefined): Promise<object>
}
