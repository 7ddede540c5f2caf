import { StoreUnavailableError } from '../../../src/errors.js'
import type { RedisClient } from './client.js'

/** A client that this store opened: it reconnects by itself, and fails at once while it cannot. */
export type OpenedClient = { readonly client: RedisClient; close(): void; lastError(): unknown }

const CONNECT_TIMEOUT = 2_000
const SOCKET_TIMEOUT = 5_000

/** Often enough that the first call after an outage succeeds within a second, seldom enough to leave a starting server alone. */
const reconnectDelay = (attempt: number): number => Math.min(50 * attempt, 250)

/** The clients' packages, loaded when the first connection is opened. */
export type Packages = {
  readonly ioredis: () => Promise<Pick<typeof import('ioredis'), 'Redis'>>
  readonly redis: () => Promise<Pick<typeof import('redis'), 'createClient'>>
}

const packages: Packages = { ioredis: () => import('ioredis'), redis: () => import('redis') }

/**
 * Connects with `ioredis`, or with `redis` where that is not installed.
 *
 * @throws {StoreUnavailableError} `store_unavailable` where neither is installed or the server cannot be reached.
 */
export async function openClient(url: string, load: Packages = packages): Promise<OpenedClient> {
  const ioredis = await load.ioredis().catch(absent)
  if (ioredis !== undefined) return openIoredis(ioredis, url)
  const redis = await load.redis().catch(absent)
  if (redis !== undefined) return openNodeRedis(redis, url)
  throw new StoreUnavailableError('redis: there is no client: npm install ioredis (or: npm install redis)')
}

/** Not installed is one answer; installed and broken is an error. */
function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && MISSING.has(error.code)) return undefined
  throw error
}

const MISSING: ReadonlySet<unknown> = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])

export async function openIoredis({ Redis }: Awaited<ReturnType<Packages['ioredis']>>, url: string): Promise<OpenedClient> {
  let last: unknown
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT,
    socketTimeout: SOCKET_TIMEOUT,
    retryStrategy: reconnectDelay,
    enableOfflineQueue: false,
    // A commit whose answer was lost must not be sent a second time.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  })
  client.on('error', (error) => {
    last = error
  })
  try {
    await client.connect()
  } catch (error) {
    client.disconnect()
    throw last ?? error
  }
  return { client, lastError: () => last, close: () => client.disconnect() }
}

export async function openNodeRedis({ createClient }: Awaited<ReturnType<Packages['redis']>>, url: string): Promise<OpenedClient> {
  let last: unknown
  const client = createClient({
    url,
    disableOfflineQueue: true,
    commandsQueueMaxLength: 100_000,
    socket: { connectTimeout: CONNECT_TIMEOUT, reconnectStrategy: reconnectDelay },
  })
  // Without a listener an error event ends the process.
  const failed = new Promise<never>((_resolve, reject) => {
    client.on('error', (error) => {
      last = error
      reject(error)
    })
  })
  try {
    // `connect()` itself goes on trying for as long as the server is away.
    await Promise.race([client.connect(), failed])
  } catch (error) {
    client.destroy()
    throw error
  }
  failed.catch(() => {})
  return { client, lastError: () => last, close: () => client.destroy() }
}
