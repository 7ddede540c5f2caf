import { callback, wholeNumber } from '../../src/policy/option-kinds.js'
import { objectOf, passing } from '../../src/policy/option-reader.js'
import { refuseFurther } from '../../src/policy/refuse-further.js'
import type { TokenStore } from '../../src/store/port.js'
import { whyUnusable } from './lib/connection-string.js'
import { exactlyOneOf, handle, readStoreOptions, type Sources } from './lib/read-options.js'
import { emitWarning, notify } from './lib/transport.js'
import { hasReached, readEvents, readFeed, readLeases, recordUsage, renewLeases, reportUsage } from './redis/activity.js'
import { begin, type RedisWarning } from './redis/begin.js'
import { createBulk } from './redis/bulk.js'
import { type IoredisClient, isRedisClient, type NodeRedisClient, type RedisClient } from './redis/client.js'
import { givenConnection, ownConnection } from './redis/connection.js'
import { readConsumers, removeConsumer, saveConsumer } from './redis/consumers.js'
import { diagnoseRedis } from './redis/diagnose.js'
import { isKeyPrefix, KEY_PREFIX, rootOf } from './redis/keys.js'
import { readMove, restore, saveMove } from './redis/moves.js'
import { judgeUrl, openClient, readSocket, transportOfUrl } from './redis/open.js'
import { removeEvents, trimUsage } from './redis/retention.js'
import { checked } from './redis/round-trip.js'
import { readSeals, saveSeal } from './redis/seals.js'
import { saveTicket, takeTicket } from './redis/tickets.js'
import { commitChange, distinctOf, findTokens, listTokens } from './redis/tokens.js'
import { createWaker } from './redis/waker.js'

export type { IoredisClient, NodeRedisClient, RedisClient, RedisWarning }

/** The options of `redisStore`: a `url`, or a `client` that the host owns. */
export type RedisStoreOptions = {
  /**
   * `redis://user:password@host:6379/0`, `rediss://` for TLS, or the path of a socket. The store creates the connection, with `ioredis` or, if that is
   * not installed, `redis`.
   */
  readonly url?: string
  /** An `ioredis` client, a connected node-redis client, or a cluster of either. The store never closes it. */
  readonly client?: RedisClient
  /**
   * The prefix of all keys. If it has no hash tag (`{…}`), it is wrapped in one, so that a cluster keeps all keys in one slot.
   *
   * @default '{latchkey}:'
   */
  readonly keyPrefix?: string
  /**
   * The number of change feed entries to keep. A node that falls further behind drops its whole cache.
   *
   * @default 100_000
   */
  readonly feedHistory?: number
  /** Called if the server's configuration weakens a guarantee of latchkey, or if the connection to `url` is insecure. @default `process.emitWarning` */
  readonly onWarning?: (warning: RedisWarning) => void
}

/**
 * Creates a store in Redis 7 or later, or Valkey, as a single server or a cluster.
 *
 * Each change and its audit events are one Lua script: all of it happens, or none. After a crash, the server has only the data that its persistence kept:
 * run it with `appendonly yes`, `appendfsync always` and `maxmemory-policy noeviction`. `migrate()`, which latchkey calls once at startup, warns about
 * other settings, and names the guarantee that each one weakens.
 *
 * @throws {InvalidInputError} `invalid_input` for unknown or invalid options.
 * @example
 * ```ts
 * const store = redisStore({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' })
 * const tokens = latchkey({ prefix: 'acme_live', store, scopes: { 'inventory:read': 'See stock' } })
 * ```
 */
export function redisStore(options: RedisStoreOptions): TokenStore
export function redisStore(options: RedisStoreOptions, ...further: readonly unknown[]): TokenStore {
  refuseFurther(further, 'must be one object: redisStore({ url, … })')
  const { url, client, keyPrefix, feedHistory, onWarning } = readStoreOptions(sources, schema, options)
  const root = rootOf(keyPrefix)
  const connection = checked(client === undefined ? ownConnection(() => openClient(url ?? ''), root) : givenConnection(client, root))
  const place = { history: feedHistory, channel: `${root}wake` }
  const bulk = createBulk(connection, place)
  const waker = createWaker(connection, place.channel)

  return {
    name: 'redis',
    async find(ids) {
      if (ids.length === 0) return []
      const { tokens, pending } = await findTokens(connection, ids)
      if (pending) bulk.resume()
      return tokens
    },
    list: (query) => listTokens(connection, query),
    distinct: (query) => distinctOf(connection, query),
    commit: (change) => commitChange(connection, change, place, bulk.settle),
    revokeWhere: (filter, stamp, event) => bulk.revoke(filter, stamp, event),
    events: (query) => readEvents(connection, query),
    changes: (after, limit) => readFeed(connection, after, limit),
    subscribe: (wake, lost) => waker.subscribe(wake, lost),
    recordUsage: (batch) => recordUsage(connection, batch),
    usage: (query) => reportUsage(connection, query),
    renewLease: (lease) => renewLeases(connection, [lease]),
    renewLeases: (leases) => renewLeases(connection, leases),
    leases: (now) => readLeases(connection, now),
    consumers: (prefix) => readConsumers(connection, prefix),
    saveConsumer: (state) => saveConsumer(connection, state),
    removeConsumer: (consumer) => removeConsumer(connection, consumer),
    seals: (query) => readSeals(connection, query),
    saveSeal: (seal) => saveSeal(connection, seal),
    removeEvents: (prefix, ids) => removeEvents(connection, prefix, ids),
    trimUsage: (trim) => trimUsage(connection, trim),
    saveTicket: (ticket, room) => saveTicket(connection, ticket, room),
    takeTicket: (prefix, digest) => takeTicket(connection, prefix, digest),
    readMove: (prefix) => readMove(connection, prefix),
    saveMove: (prefix, expected, next) => saveMove(connection, place.channel, prefix, expected, next),
    restore: (restored) => restore(connection, restored),
    reached: hasReached,
    async migrate() {
      for (const warning of await begin(connection)) notify(onWarning, warning)
      const transport = url === undefined ? undefined : await judgeUrl(url)
      if (transport !== undefined) notify(onWarning, transport)
      bulk.resume()
    },
    diagnose: async () => diagnoseRedis(connection, url === undefined ? undefined : await transportOfUrl(url)),
    async close() {
      await bulk.stop()
      waker.close()
      connection.close()
    },
  }
}

const URL_FORMS = 'must be a URL that begins with redis://, rediss:// or unix://, or the path of a socket'

/** Explains why a URL cannot be used. Both clients use their defaults for missing parts, and throw if a part is badly encoded. */
function whyNotUrl(url: string): string | undefined {
  const why = (): string | undefined => whyUnusable(url, ['redis:', 'rediss:', 'unix:'], URL_FORMS)
  try {
    return readSocket(url) === undefined ? (why() ?? whyNotPlain(url)) : undefined
  } catch {
    return why() ?? URL_FORMS
  }
}

// Clients pass other parts through unchecked, so a database that is not a number, or a malformed option, later ends the process.
function whyNotPlain(url: string): string | undefined {
  const { protocol, pathname, searchParams } = new URL(url)
  if (protocol === 'unix:') return URL_FORMS
  if (/^\/?\d*$/.test(pathname) && [...searchParams.keys()].every((name) => name === 'connectionName')) return undefined
  return 'must have a database number or nothing after the host; for connection options other than connectionName, pass a client'
}

const shape = {
  // The URL may contain a password, so messages never include it.
  url: passing<string>((url) => typeof url === 'string', URL_FORMS)
    .refusedFor(whyNotUrl)
    .optional(),
  client: handle<RedisClient>(isRedisClient, 'must be an ioredis or a node-redis client').optional(),
  keyPrefix: passing<string>(isKeyPrefix, KEY_PREFIX).optional(),
  feedHistory: wholeNumber(1, Number.MAX_SAFE_INTEGER).default(100_000),
  onWarning: callback<(warning: RedisWarning) => void>().default(emitWarning),
}

const schema = exactlyOneOf(objectOf(shape), ['url', 'client'])

const sources: Sources = {
  store: 'redisStore',
  address: 'url',
  handles: { client: isRedisClient },
  url: { form: 'redis://user:password@host:6379/0', tls: 'to use TLS, begin the URL with rediss://' },
  options: shape,
}
