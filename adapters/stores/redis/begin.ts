import { StoreUnavailableError } from '../../../src/errors.js'
import type { TransportWarning } from '../lib/transport.js'
import type { Connection } from './connection.js'
import { listOf } from './encode.js'
import { scripts } from './scripts.js'

/** The version of the layout of keys. */
const LAYOUT = 1

/** How the server is set up for less than latchkey promises, and which promise suffers. */
export type RedisWarning = {
  readonly code:
    | 'LATCHKEY_REDIS_NOT_PERSISTENT'
    | 'LATCHKEY_REDIS_FSYNC'
    | 'LATCHKEY_REDIS_EVICTION'
    | 'LATCHKEY_REDIS_REPLICA'
    | 'LATCHKEY_REDIS_UNCHECKED'
    | TransportWarning['code']
  readonly message: string
}

/**
 * Marks the layout, refuses a server that is too old or data that is too new, and answers what the operator should know.
 *
 * @throws {StoreUnavailableError} `store_unavailable`
 */
export async function begin(connection: Connection): Promise<readonly RedisWarning[]> {
  const [layout, info] = listOf(await connection.run(scripts.begin, [LAYOUT])).map(String)
  const facts = new Map((info ?? '').split(/\r?\n/).map((line) => splitOnce(line)))
  // Valkey and others that descend from Redis say here which Redis they are compatible with.
  const version = facts.get('redis_version')
  if (version !== undefined && Number.parseInt(version, 10) < 7) {
    throw new StoreUnavailableError(`redis: the server is version ${version.slice(0, 20)}: Redis 7 or Valkey is needed`)
  }
  if (Number(layout) > LAYOUT) {
    throw new StoreUnavailableError('redis: the data was written by a later version of latchkey: update the package')
  }
  return warningsOf(facts, await fsyncSetting(connection, facts))
}

async function fsyncSetting(connection: Connection, facts: ReadonlyMap<string, string>): Promise<string | undefined> {
  if (facts.get('aof_enabled') !== '1') return undefined
  try {
    const setting = await connection.setting('appendfsync')
    return typeof setting === 'string' ? setting : undefined
  } catch {
    // CONFIG is forbidden on many managed servers.
    return undefined
  }
}

function warningsOf(facts: ReadonlyMap<string, string>, fsync: string | undefined): readonly RedisWarning[] {
  const persistent = facts.get('aof_enabled')
  const policy = facts.get('maxmemory_policy')
  const unknown = [
    ...(persistent === undefined ? ['appendonly'] : []),
    ...(persistent !== '0' && fsync === undefined ? ['appendfsync'] : []),
    ...(policy === undefined ? ['maxmemory-policy'] : []),
  ]
  return [
    ...(persistent === '0' ? [NOT_PERSISTENT] : []),
    ...(persistent === '1' && fsync !== undefined && fsync !== 'always' ? [lateSync(fsync)] : []),
    ...(policy !== undefined && policy !== 'noeviction' ? [evicting(policy)] : []),
    ...(facts.get('role') === 'slave' ? [REPLICA] : []),
    ...(unknown.length > 0 ? [unchecked(unknown)] : []),
  ]
}

function warning(code: RedisWarning['code'], ...sentences: readonly string[]): RedisWarning {
  return { code, message: `redis: ${sentences.join(' ')}` }
}

const NOT_PERSISTENT = warning(
  'LATCHKEY_REDIS_NOT_PERSISTENT',
  'appendonly is off, so that a crash loses every change since the last snapshot.',
  'This breaks promise 5 (no change is acknowledged before it and its audit event are durable)',
  'and promise 7 (a revoked token would work again). Set: appendonly yes, appendfsync always.',
)

const REPLICA = warning(
  'LATCHKEY_REDIS_REPLICA',
  'this server is a replica, which answers with old data.',
  'This breaks promise 2 (no verification sees the state before a revocation). Connect to the primary.',
)

function lateSync(fsync: string): RedisWarning {
  const loss = fsync === 'no' ? 'whatever the operating system had not written yet' : 'up to the last second'
  return warning(
    'LATCHKEY_REDIS_FSYNC',
    `appendfsync is ${fsync.slice(0, 40)}, so that a power failure can lose ${loss}.`,
    'This weakens promise 5 (durable before it is acknowledged)',
    'and promise 7 (a token revoked in that time would work again). Set: appendfsync always.',
  )
}

function evicting(policy: string): RedisWarning {
  return warning(
    'LATCHKEY_REDIS_EVICTION',
    `maxmemory-policy is ${policy.slice(0, 40)}, so that a full server drops keys.`,
    'This breaks promise 5 (tokens and their audit events are kept)',
    'and promise 9 (usage counts are exact). Set: maxmemory-policy noeviction.',
  )
}

function unchecked(settings: readonly string[]): RedisWarning {
  return warning(
    'LATCHKEY_REDIS_UNCHECKED',
    `the server does not let its settings be read, so that ${settings.join(', ')} could not be checked.`,
    'Promises 5 and 7 need appendonly yes with appendfsync always, and maxmemory-policy noeviction.',
  )
}

function splitOnce(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1)]
}
