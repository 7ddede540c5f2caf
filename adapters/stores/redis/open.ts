import { lookup } from 'node:dns/promises'
import type { RedisOptions } from 'ioredis'
import { StoreUnavailableError } from '../../../src/errors.js'
import { isMissing } from '../lib/package.js'
import { judgeTransport, type Transport, type TransportWarning } from '../lib/transport.js'
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

type Socket = { readonly path: string; readonly db?: number; readonly username?: string; readonly password?: string }

/** `/run/redis.sock?db=2` or `unix://user:password@/run/redis.sock`: each client reads only one of the two. */
export function readSocket(url: string): Socket | undefined {
  const [, user, password, path, db] = /^(?:unix:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?)?(\/(?!\/)[^?#]+)(?:\?db=(\d+))?$/.exec(url) ?? []
  if (path === undefined) return undefined
  return {
    path: decodeURIComponent(path),
    ...(db === undefined ? {} : { db: Number(db) }),
    ...(user ? { username: decodeURIComponent(user) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
  }
}

export async function openIoredis({ Redis }: Ioredis, url: string): Promise<OpenedClient> {
  let last: unknown
  const options: RedisOptions = {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT,
    socketTimeout: SOCKET_TIMEOUT,
    retryStrategy: reconnectDelay,
    enableOfflineQueue: false,
    // A commit whose answer was lost must not be sent a second time.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  }
  const socket = readSocket(url)
  const client = socket === undefined ? new Redis(url, options as object) : new Redis({ ...socket, ...options } as object)
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
  const { path, db, ...login } = readSocket(url) ?? {}
  const connecting = { connectTimeout: CONNECT_TIMEOUT, reconnectStrategy: reconnectDelay }
  const client = createClient({
    ...(path === undefined
      ? { url, socket: connecting }
      : { socket: { path, ...connecting }, ...login, ...(db === undefined ? {} : { database: db }) }),
    disableOfflineQueue: true,
    commandsQueueMaxLength: 100_000,
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

const SOCKET: Transport = { encrypted: false, verified: false }

/** How a connection string reaches its server, as far as it tells. Both clients check the certificate of `rediss://` themselves. */
export async function transportOfUrl(url: string): Promise<Transport | undefined> {
  try {
    const { protocol, hostname } = new URL(url)
    if (hostname === '' || !protocol.startsWith('redis')) return SOCKET
    const { address } = await lookup(hostname.replace(/^\[|\]$/g, ''))
    const encrypted = protocol === 'rediss:'
    return { address, encrypted, verified: encrypted }
  } catch {
    // A host that this resolver does not know: the client has reached it in a way of its own.
    return readSocket(url) === undefined ? undefined : SOCKET
  }
}

/** Judges the connection to a server. */
export async function judgeUrl(url: string): Promise<TransportWarning | undefined> {
  const transport = await transportOfUrl(url)
  return transport && judgeTransport('redis', transport)
}
