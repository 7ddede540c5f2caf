import { StoreUnavailableError } from '../../../src/errors.js'
import type { TransportWarning } from '../lib/transport.js'
import type { Connection } from './connection.js'
import { concernsOf, LAYOUT, readServer } from './server.js'

/** A server setting that weakens a guarantee of latchkey, and the guarantee that it weakens. */
export type RedisWarning = {
  readonly code: `LATCHKEY_REDIS_${'NOT_PERSISTENT' | 'FSYNC' | 'EVICTION' | 'REPLICA' | 'UNCHECKED'}` | TransportWarning['code']
  readonly message: string
}

/**
 * Marks the layout, refuses a server that is too old or data that is too new, and returns warnings for the operator.
 *
 * @throws {StoreUnavailableError} `store_unavailable`
 */
export async function begin(connection: Connection): Promise<readonly RedisWarning[]> {
  const server = await readServer(connection)
  // Valkey and other Redis forks report here which Redis version they are compatible with.
  const version = server.facts.get('redis_version')
  if (version !== undefined && Number.parseInt(version, 10) < 7) {
    throw new StoreUnavailableError(`redis: the server is version ${version.slice(0, 20)}: latchkey requires Redis 7 or Valkey`)
  }
  if (server.layout > LAYOUT) {
    throw new StoreUnavailableError('redis: the data was written by a later version of latchkey: update the package')
  }
  return concernsOf(server).map(({ kind, says, effect, advice }) => ({
    code: `LATCHKEY_REDIS_${kind}`,
    message: `redis: ${says} ${effect} ${advice}`,
  }))
}
