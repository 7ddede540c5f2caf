import { internalsOf, type Latchkey } from '../instance.js'
import { type Arriving, createAccess } from './access.js'
import { createApp } from './app.js'
import { describeApi, type OpenApiDocument } from './openapi.js'
import { type ManagementOptions, readManagementOptions } from './options.js'

export type { Arriving, Caller } from './access.js'
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
  openapi(mountPath: string): OpenApiDocument
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
  const settings = readManagementOptions(options, internalsOf(tokens).report)
  // The scopes of requests are text until the core has read them, so the names that are known at compile time do not help here.
  const plain = tokens as unknown as Latchkey
  const app = createApp(plain, settings, createAccess(plain, settings))
  return Object.freeze({ fetch: app, openapi: (mountPath: string) => describeApi(plain, mountPath, settings.credential) })
}
