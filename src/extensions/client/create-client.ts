import { createFetch } from './carry.js'
import { createKeeper } from './keeper.js'
import { type ClientOptions, type Fetch, readOptions } from './options.js'
import { unencrypted } from './plain-http.js'

/** Calls an API with a token, and rotates that token. */
export type Client = {
  /**
   * `fetch` with `Authorization: Bearer` and the current token. If a rotation is due, it starts one in parallel with the request.
   *
   * After a 401 the request is sent once more, if the storage or this client has a newer token. A stream body, or the body of a `Request`
   * object, has been consumed by then, so such a request is not repeated and you receive the 401.
   *
   * Rejects with a `ClientError` if there is no token (`token_missing`, `storage_failed`) or the origin is not allowed (`invalid_input`), and
   * otherwise as the platform's `fetch` does.
   */
  readonly fetch: Fetch
  /**
   * Rotates now, whether due or not, and resolves when the new token is saved. If another process rotates at the same time, its token is adopted.
   *
   * Rejects with a `ClientError`; the old token then keeps working, and the client retries while the process runs. Before the process ends, await
   * `settled`, because the new token may not be saved yet.
   */
  readonly rotate: () => Promise<void>
  /**
   * Resolves when no rotation is in progress and no new token remains to be saved. Await it at the end of a job, or pass it to `waitUntil` if the platform
   * stops work after the response. It keeps the process alive until then.
   *
   * If the new token cannot be saved, or the response to a rotation was lost and the storage does not keep `rotation`, the client retries for up to three
   * deadlines. Then this rejects with the `ClientError` of the last attempt: if the process ends now, the token may be lost.
   */
  readonly settled: () => Promise<void>
}

/**
 * Creates a client for the holder of a token.
 *
 * @throws ClientError `invalid_input`
 *
 * @example
 * ```ts
 * import { createClient } from 'latchkey/client'
 * import { fileStorage } from 'latchkey/client/node'
 *
 * const client = createClient({ manage: 'https://api.example.com/admin/tokens', ...fileStorage('/var/lib/erp/token') })
 * const response = await client.fetch('https://api.example.com/api/stock')
 * ```
 */
export function createClient(options: ClientOptions): Client {
  const settings = readOptions(options)
  const keeper = createKeeper(settings)
  const exposed = unencrypted([new URL(settings.manage).origin, ...settings.origins])
  if (exposed !== undefined) settings.report(exposed)
  // The object has only functions, so printing it cannot reveal a token.
  return Object.freeze({ fetch: createFetch(settings, keeper), rotate: keeper.rotate, settled: keeper.settled })
}
