import { secretsIn } from '../http/secrets-in.js'
import { undoUse } from '../http/use.js'
import { internalsOf, type Latchkey } from '../instance.js'
import { type Arriving, createAccess, unidentified } from './access.js'
import type { createApp } from './app.js'
import { finish } from './finish.js'
import type { OpenApiDocument } from './openapi.js'
import { type ManagementOptions, readManagementOptions } from './options.js'
import { problemResponse } from './problem-response.js'

export type { OpenApiDocument } from './openapi.js'
export type { ManagementOptions, NamedId, NamesAsked } from './options.js'

/** The management API of one instance, for an adapter to mount. */
export type Management = {
  /**
   * Answers a request. Never rejects.
   *
   * `mountPath` is where the host mounted the API, as in the request's URL, or the empty string for the root.
   */
  fetch(request: Request, caller: Arriving, mountPath: string): Promise<Response>
  /** Returns the OpenAPI 3.1 document of `GET /openapi.json`. */
  openapi(mountPath: string): Promise<OpenApiDocument>
  /** Returns the response for a request whose sender could not be identified. */
  unidentified(error: unknown, request: Request): Response
}

/**
 * Creates the API through which people create, search, edit, rotate and revoke tokens: a fetch handler under any path.
 *
 * The `management` functions of the adapters call it with the facts that their framework provides about a request.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 *
 * @example
 * ```ts
 * const api = createManagement(tokens, {})
 * const response = await api.fetch(request, { actor: () => currentUser(request) }, '/admin/tokens')
 * ```
 */
export function createManagement<S extends string>(tokens: Latchkey<S>, options: ManagementOptions = {}): Management {
  const {
    report,
    deadlineMs,
    settings: { monotonic },
  } = internalsOf(tokens)
  const settings = readManagementOptions(options, report, { deadlineMs, monotonic })
  // Scopes in requests are plain text until the core has read them, so compile-time names do not help here.
  const plain = tokens as unknown as Latchkey
  const access = createAccess(plain, settings)
  let app: ReturnType<typeof createApp> | undefined
  return Object.freeze({
    // The first request loads the routes. A server that only verifies requests starts without them.
    fetch: async (request: Request, caller: Arriving, mountPath: string) => {
      try {
        app ??= (await import('./app.js')).createApp(plain, settings, access)
      } catch (error) {
        report('management', error)
        undoUse(caller.use)
        return finish(problemResponse(error), request, settings)
      }
      return app(request, caller, mountPath)
    },
    unidentified: (error: unknown, request: Request) => {
      const refusal = unidentified({ report }, error, secretsIn(request.headers, settings.credentialFields))
      return finish(problemResponse(refusal), request, settings)
    },
    openapi: async (mountPath: string) => (await import('./openapi.js')).describeApi(plain, mountPath, settings.credential),
  })
}
