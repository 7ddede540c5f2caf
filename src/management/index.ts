import { internalsOf, type Latchkey } from '../instance.js'
import { type Arriving, createAccess } from './access.js'
import type { createApp } from './app.js'
import type { OpenApiDocument } from './openapi.js'
import { type ManagementOptions, readManagementOptions } from './options.js'
import { problemResponse } from './problem-response.js'

export type { OpenApiDocument } from './openapi.js'
export type { ManagementOptions, NamedId } from './options.js'

/** The management API of one instance, for an adapter to mount. */
export type Management = {
  /**
   * Answers a request. Never rejects.
   *
   * `mountPath` is where the host mounted the API, as it stands in the request's URL; the empty string for the root.
   */
  fetch(request: Request, caller: Arriving, mountPath: string): Promise<Response>
  /** The OpenAPI 3.1 document, as `GET /openapi.json` answers it. */
  openapi(mountPath: string): Promise<OpenApiDocument>
}

/**
 * Makes the API through which people create, search, edit, rotate and revoke tokens, as a fetch handler under any path.
 *
 * The adapters' `management` calls it with what their framework knows of a request.
 *
 * @throws InvalidInputError `invalid_input` when an option is unknown or unsound.
 *
 * @example
 * ```ts
 * const api = createManagement(tokens, {})
 * const response = await api.fetch(request, { actor: () => currentUser(request) }, '/admin/tokens')
 * ```
 */
export function createManagement<S extends string>(tokens: Latchkey<S>, options: ManagementOptions = {}): Management {
  const { report, deadlineMs } = internalsOf(tokens)
  const settings = readManagementOptions(options, report, deadlineMs)
  // The scopes of requests are text until the core has read them, so the names that are known at compile time do not help here.
  const plain = tokens as unknown as Latchkey
  const access = createAccess(plain, settings)
  let app: ReturnType<typeof createApp> | undefined
  return Object.freeze({
    // The routes are loaded by the first request: a server whose requests are only verified starts without them.
    fetch: async (request: Request, caller: Arriving, mountPath: string) => {
      try {
        app ??= (await import('./app.js')).createApp(plain, settings, access)
      } catch (error) {
        report('management', error)
        return problemResponse(error)
      }
      return app(request, caller, mountPath)
    },
    openapi: async (mountPath: string) => (await import('./openapi.js')).describeApi(plain, mountPath, settings.credential),
  })
}
