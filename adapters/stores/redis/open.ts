import { lookup } from 'node:dns/promises'
import { StoreUnavailableError } from '../../../src/errors.js'
import { isMissing } from '../lib/package.js'
import { judgeTransport, type TransportWarning } from '../lib/transport.js'
import type { RedisClient } from './client.js'
import { letProcessEnd } from './unref.js'

/** A client that this store opened: it reconnects by itself, and fails at once while it cannot. */
export type OpenedClient = { readonly client: RedisClient; close(): void; lastError(): unknown }

const CONNECT_TIMEOUT = 2_000
const SOCKET_TIMEOUT = 5_000

/** Often enough that the first call after an outage succeeds within a second, seldom enough to leave a starting server alone. */
const reconnectDelay = (attempt: number): number => Math.min(50 * attempt, 250)

/** The clients' packages, loaded when the first connection is opened. */
export type Packages = {
  readonly ioredis: () => Promise<Ioredis | undefined>
  readonly redis: () => Promise<NodeRedis | undefined>
}

type Ioredis = Pick<typeof import('ioredis'), 'Redis'>
type NodeRedis = Pick<typeof import('redis'), 'createClient'>

async function loadIoredis(): Promise<Ioredis | undefined> {
  try {
    return await import('ioredis')
  } catch (error) {
    return absent(error)
  }
}

async function loadNodeRedis(): Promise<NodeRedis | undefined> {
  try {
    return await import('redis')
  } catch (error) {
    return absent(error)
  }
}

const packages: Packages = { ioredis: loadIoredis, redis: loadNodeRedis }

/**
 * Connects with `ioredis`, or with `redis` where that is not installed.
 *
 * @throws {StoreUnavailableError} `store_unavailable` where neither is installed or the server cannot be reached.
 */
export async function openClient(url: string, load: Packages = packages): Promise<OpenedClient> {
  const ioredis = await load.ioredis()
  if (ioredis !== undefined) return openIoredis(ioredis, url)
  const redis = await load.redis()
  if (redis !== undefined) return openNodeRedis(redis, url)
  throw new StoreUnavailableError('redis: there is no client: npm install ioredis (or: npm install redis)')
}

/** Not installed is one answer; installed and broken is an error. */
function absent(error: unknown): undefined {
  if (isMissing(error)) return undefined
  throw error
}

export async function openIoredis({ Redis }: Ioredis, url: string): Promise<OpenedClient> {
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
  letProcessEnd(client)
  try {
    await client.connect()
  } catch (error) {
    client.disconnect()
    throw last ?? error
  }
  return { client, lastError: () => last, close: () => client.disconnect() }
}

export async function openNodeRedis({ createClient }: NodeRedis, url: string): Promise<OpenedClient> {
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
  // A command that waits for its answer keeps the process alive by its own timer.
  client.unref()
  return { client, lastError: () => last, close: () => client.destroy() }
}

/** What to say of the way to a server. Both clients check the certificate of `rediss://` by themselves. */
export async function judgeUrl(url: string): Promise<TransportWarning | undefined> {
  try {
    const { protocol, hostname } = new URL(url)
    if (protocol === 'rediss:') return undefined
    const { address } = await lookup(hostname.replace(/^\[|\]$/g, ''))
    return judgeTransport('redis', { address, encrypted: false, verified: false })
  } catch {
    // No host, or none that this resolver knows: the client has reached it in a way of its own.
    return undefined
  }
}
