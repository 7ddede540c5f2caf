import { mysqlStore } from '../../../adapters/stores/mysql.js'
import { postgresStore } from '../../../adapters/stores/postgres.js'
import { redisStore } from '../../../adapters/stores/redis.js'
import { sqliteStore } from '../../../adapters/stores/sqlite.js'
import type { Latchkey } from '../../../src/instance.js'
import { latchkey } from '../../../src/latchkey.js'
import type { LatchkeyOptions } from '../../../src/options.js'
import type { TokenStore } from '../../../src/store/port.js'

/** The location that the processes of a test share. */
export type Place = { readonly kind: 'sqlite' | 'postgres' | 'mysql' | 'redis'; readonly at: string; readonly name: string }

/** The store at this location. */
export const storeAt = ({ kind, at, name }: Place): TokenStore => {
  if (kind === 'sqlite') return sqliteStore({ path: at, busyTimeout: '20s' })
  if (kind === 'postgres') return postgresStore({ url: at, schema: name })
  if (kind === 'mysql') return mysqlStore({ url: at })
  return redisStore({ url: at, keyPrefix: name, onWarning: () => {} })
}

/** An instance on the store at this location. */
export const openAt = (place: Place, options: Pick<LatchkeyOptions, 'sealing'> = {}): Latchkey =>
  latchkey({ prefix: 'acme_test', store: storeAt(place), scopes: { 'stock:read': 'See stock' }, deadline: '20s', ...options })
