import { lookup } from 'node:dns/promises'
import type { RedisOptions } from 'ioredis'
import { StoreUnavailableError } from '../../../src/errors.js'
import { advised } from '../../../src/store/fault-places.js'
import { isMissing, notInstalled } from '../lib/package.js'
import { judgeTransport, type Transport, type TransportWarning } from '../lib/transport.js'
import type { RedisClient } from './client.js'
import { letProcessEnd } from './unref.js'

/** A client that this store opened: it reconnects automatically, and its calls fail immediately while it cannot. */
export type OpenedClient = { readonly client: RedisClient; close(): void; lastError(): unknown }

const CONNECT_TIMEOUT = 2_000
const SOCKET_TIMEOUT = 5_000

/** Often enough that the first call after an outage succeeds within a second, rarely enough not to burden a starting server. */
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
 * Connects with `ioredis`, or with `redis` if that is not installed.
 *
 * @throws {StoreUnavailableError} `store_unavailable` if neither is installed or the server cannot be reached.
 */
export async function openClient(url: string, load: Packages = packages): Promise<OpenedClient> {
  const ioredis = await load.ioredis()
  if (ioredis !== undefined) return openIoredis(ioredis, url)
  const redis = await load.redis()
  if (redis !== undefined) return openNodeRedis(redis, url)
  throw notInstalled('redis', 'neither ioredis nor redis is installed', 'ioredis')
}

/** Returns `undefined` if the package is not installed. If it is installed but broken, throws its error. */
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

/**
 * Returns the database that an address of a server names: `redis://host/2` or, as ioredis alone reads it, `redis://host?db=2`.
 *
 * @throws {StoreUnavailableError} `store_unavailable` if the database is not a number. Each client would interpret such a value differently, and one would end
 * the process.
 */
function databaseOf(url: string): number | undefined {
  if (readSocket(url) !== undefined || !URL.canParse(url)) return undefined
  const { protocol, pathname, searchParams } = new URL(url)
  if (!protocol.startsWith('redis')) return undefined
  const named = [pathname.replace(/^\//, ''), searchParams.get('db') ?? ''].filter((db) => db !== '')
  if (named.length > 1 || named.some((db) => !/^\d{1,9}$/.test(db))) {
    throw advised(new StoreUnavailableError('redis: the database in the URL must be one number, as in redis://localhost:6379/2'))
  }
  return named[0] === undefined ? undefined : Number(named[0])
}

/** If the database does not exist, ioredis continues in database 0, even after a reconnect. */
const isNoDatabase = (error: unknown): boolean => /DB index/i.test(String(Object(error).message))

export async function openIoredis({ Redis }: Ioredis, url: string): Promise<OpenedClient> {
  let last: unknown
  databaseOf(url)
  const options: RedisOptions = {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT,
    socketTimeout: SOCKET_TIMEOUT,
    retryStrategy: reconnectDelay,
    enableOfflineQueue: false,
    // A commit whose reply was lost must not be sent again.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  }
  const socket = readSocket(url)
  const client = socket === undefined ? new Redis(url, options as object) : new Redis({ ...socket, ...options } as object)
  client.on('error', (error) => {
    // Errors that follow from closing the connection here do not reveal the cause.
    if (!isNoDatabase(last) || 'code' in error) last = error
    if (isNoDatabase(error)) client.disconnect(true)
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
  const { path, db = databaseOf(url), ...login } = readSocket(url) ?? {}
  const connecting = { connectTimeout: CONNECT_TIMEOUT, reconnectStrategy: reconnectDelay }
  const client = createClient({
    ...(path === undefined ? { url, socket: connecting } : { socket: { path, ...connecting }, ...login }),
    ...(db === undefined ? {} : { database: db }),
    disableOfflineQueue: true,
    commandsQueueMaxLength: 100_000,
  })
  // Without a listener, an error event ends the process.
  const failed = new Promise<never>((_resolve, reject) => {
    client.on('error', (error) => {
      last = error
      reject(error)
    })
  })
  try {
    // `connect()` itself keeps trying while the server is unreachable.
    await Promise.race([client.connect(), failed])
  } catch (error) {
    client.destroy()
    throw error
  }
  failed.catch(() => {})
  // A pending command keeps the process alive through its own timer.
  client.unref()
  return { client, lastError: () => last, close: () => client.destroy() }
}

const SOCKET: Transport = { encrypted: false, verified: false }

/** Returns how a connection string reaches its server, as far as the string shows. Both clients verify the certificate for `rediss://` themselves. */
export async function transportOfUrl(url: string): Promise<Transport | undefined> {
  try {
    const { protocol, hostname } = new URL(url)
    if (hostname === '' || !protocol.startsWith('redis')) return SOCKET
    const { address } = await lookup(hostname.replace(/^\[|\]$/g, ''))
    const encrypted = protocol === 'rediss:'
    return { address, encrypted, verified: encrypted }
  } catch {
    // This resolver does not know the host, so the client must resolve it differently.
    return readSocket(url) === undefined ? undefined : SOCKET
  }
}

/** Returns a warning if the connection to this address can be read or modified in transit. */
export async function judgeUrl(url: string): Promise<TransportWarning | undefined> {
  const transport = await transportOfUrl(url)
  return transport && judgeTransport('redis', transport)
}
