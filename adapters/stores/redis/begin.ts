import { StoreUnavailableError } from '../../../src/errors.js'
import type { TransportWarning } from '../lib/transport.js'
import type { Connection } from './connection.js'
import { concernsOf, LAYOUT, readServer } from './server.js'

/** How the server is set up for less than latchkey promises, and which promise suffers. */
export type RedisWarning = {
  readonly code: `LATCHKEY_REDIS_${'NOT_PERSISTENT' | 'FSYNC' | 'EVICTION' | 'REPLICA' | 'UNCHECKED'}` | TransportWarning['code']
  readonly message: string
}

/**
 * Marks the layout, refuses a server that is too old or data that is too new, and answers what the operator should know.
 *
 * @throws {StoreUnavailableError} `store_unavailable`
 */
export async function begin(connection: Connection): Promise<readonly RedisWarning[]> {
  const server = await readServer(connection)
  // Valkey and others that descend from Redis say here which Redis they are compatible with.
  const version = server.facts.get('redis_version')
  if (version !== undefined && Number.parseInt(version, 10) < 7) {
    throw new StoreUnavailableError(`redis: the server is version ${version.slice(0, 20)}: Redis 7 or Valkey is needed`)
  }
  if (server.layout > LAYOUT) {
    throw new StoreUnavailableError('redis: the data was written by a later version of latchkey: update the package')
  }
  return concernsOf(server).map(({ kind, says, breaks, advice }) => ({
    code: `LATCHKEY_REDIS_${kind}`,
    message: `redis: ${says} ${breaks} ${advice}`,
  }))
}
