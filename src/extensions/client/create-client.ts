import { createFetch } from './carry.js'
import { createKeeper } from './keeper.js'
import { type ClientOptions, type Fetch, readOptions } from './options.js'

/** Calls an API in the name of a token, and rotates that token. */
export type Client = {
  /**
   * `fetch` with `Authorization: Bearer` and the token of the moment. Where a rotation is due it begins one beside the request.
   *
   * A 401 is answered by sending the request once more, if the storage or this client knows a newer token. Bodies that are streams, and those of
   * `Request` objects, are used up by then: their 401 is handed to you.
   *
   * Rejects with a `ClientError` where there is no token (`token_missing`, `storage_failed`) and for other origins (`invalid_input`), and as the platform's `fetch` does.
   */
  readonly fetch: Fetch
  /**
   * Rotates now, due or not, and resolves when the new token is saved. Where another process rotates at the same time, its token is taken over.
   *
   * Rejects with a `ClientError`; the old token then works on, and the client tries again.
   */
  readonly rotate: () => Promise<void>
  /** Resolves when no rotation is under way: for the end of a job, and for `waitUntil` where a platform stops work after the answer. */
  readonly settled: () => Promise<void>
}

/**
 * Makes the client of a token's holder.
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
  // No fields but functions: nothing that prints this object finds a token.
  return Object.freeze({ fetch: createFetch(settings, keeper), rotate: keeper.rotate, settled: keeper.settled })
}
