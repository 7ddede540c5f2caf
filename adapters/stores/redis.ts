import { callback, wholeNumber } from '../../src/policy/option-kinds.js'
import { objectOf, passing } from '../../src/policy/option-reader.js'
import type { TokenStore } from '../../src/store/port.js'
import { exactlyOneOf, handle, readStoreOptions } from './lib/read-options.js'
import { emitWarning } from './lib/transport.js'
import { hasReached, readEvents, readFeed, readLeases, recordUsage, renewLeases, reportUsage } from './redis/activity.js'
import { begin, type RedisWarning } from './redis/begin.js'
import { createBulk } from './redis/bulk.js'
import { type IoredisClient, isRedisClient, type NodeRedisClient, type RedisClient } from './redis/client.js'
import { givenConnection, ownConnection } from './redis/connection.js'
import { readConsumers, saveConsumer } from './redis/consumers.js'
import { diagnoseRedis } from './redis/diagnose.js'
import { isKeyPrefix, KEY_PREFIX, rootOf } from './redis/keys.js'
import { readMove, restore, saveMove } from './redis/moves.js'
import { judgeUrl, openClient, readSocket, transportOfUrl } from './redis/open.js'
import { removeEvents, trimUsage } from './redis/retention.js'
import { checked } from './redis/round-trip.js'
import { readSeals, saveSeal } from './redis/seals.js'
import { saveTicket, takeTicket } from './redis/tickets.js'
import { commitChange, findTokens, listTokens } from './redis/tokens.js'
import { createWaker } from './redis/waker.js'

export type { IoredisClient, NodeRedisClient, RedisClient, RedisWarning }

/** The options of `redisStore`: a `url`, or a `client` of the host's. */
export type RedisStoreOptions = {
  /** `redis://user:password@host:6379/0`, `rediss://` for TLS, or the path of a socket. The store connects by itself, with `ioredis` or else `redis`. */
  readonly url?: string
  /** An `ioredis` client, or a node-redis client that is connected, or a cluster of either. It is never closed here. */
  readonly client?: RedisClient
  /**
   * The prefix of all keys. Without a hash tag (`{…}`), one is put around it, so that a cluster keeps all keys in one slot.
   *
   * @default '{latchkey}:'
   */
  readonly keyPrefix?: string
  /**
   * How many entries of the change feed are kept. A node further behind drops its whole cache.
   *
   * @default 100_000
   */
  readonly feedHistory?: number
  /** Told how the server is set up for less than latchkey promises, and where `url` leads there unsafely. @default `process.emitWarning` */
  readonly onWarning?: (warning: RedisWarning) => void
}

/**
 * A store in Redis 7 or later, or Valkey, alone or as a cluster.
 *
 * Each change is one Lua script with its audit events: all of it happens, or none. What survives a crash of the server is what its
 * persistence keeps: run it with `appendonly yes`, `appendfsync always` and `maxmemory-policy noeviction`; `migrate()`, which
 * latchkey calls once at the start, warns where that is not so, and says which promise it weakens.
 *
 * @throws {InvalidInputError} `invalid_input` for options that are unknown or do not fit.
 * @example
 * ```ts
 * const store = redisStore({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' })
 * const tokens = latchkey({ prefix: 'acme_live', store, scopes: { 'inventory:read': 'See stock' } })
 * ```
 */
export function redisStore(options: RedisStoreOptions): TokenStore {
  const { url, client, keyPrefix, feedHistory, onWarning } = readStoreOptions('redisStore', 'client', schema, options)
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
      for (const warning of await begin(connection)) onWarning(warning)
      const transport = url === undefined ? undefined : await judgeUrl(url)
      if (transport !== undefined) onWarning(transport)
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

function isRedisUrl(url: unknown): boolean {
  if (typeof url !== 'string') return false
  try {
    if (readSocket(url) !== undefined) return true
    const { protocol, username, password } = new URL(url)
    // Both clients take their own defaults for what is left out, and throw for what is badly encoded.
    return (protocol === 'redis:' || protocol === 'rediss:') && decodeURIComponent(username + password) !== undefined
  } catch {
    return false
  }
}

const schema = exactlyOneOf(
  objectOf({
    // It may hold a password: it is never part of a message.
    url: passing<string>(isRedisUrl, 'must be a url that begins with redis://, rediss:// or unix://, or the path of a socket').optional(),
    client: handle<RedisClient>(isRedisClient, 'must be an ioredis or a node-redis client').optional(),
    keyPrefix: passing<string>(isKeyPrefix, KEY_PREFIX).optional(),
    feedHistory: wholeNumber(1, Number.MAX_SAFE_INTEGER).default(100_000),
    onWarning: callback<(warning: RedisWarning) => void>().default(emitWarning),
  }),
  ['url', 'client'],
)
