import type { Connection } from './connection.js'
import { listOf } from './encode.js'
import { scripts } from './scripts.js'

/** The version of the layout of keys. */
export const LAYOUT = 1

/** The information that a server reports about itself. */
export type Server = {
  /** The layout version of the stored data. */
  readonly layout: number
  /** The readable fields of `INFO`. */
  readonly facts: ReadonlyMap<string, string>
  /** `appendfsync`, if it can be read and has an effect. */
  readonly fsync: string | undefined
}

/** Marks the layout if there is none yet, and reads the configuration of the server. */
export async function readServer(connection: Connection): Promise<Server> {
  const [layout, info] = listOf(await connection.run(scripts.begin, [LAYOUT])).map(String)
  const facts = new Map((info ?? '').split(/\r?\n/).map((line) => splitOnce(line)))
  return { layout: Number(layout), facts, fsync: await fsyncSetting(connection, facts) }
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

function splitOnce(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1)]
}

/** A server setting under which latchkey may lose data or decide based on stale data: the finding, its effect, and what to do. */
export type RedisConcern = {
  readonly kind: 'NOT_PERSISTENT' | 'FSYNC' | 'EVICTION' | 'REPLICA' | 'UNCHECKED'
  readonly says: string
  readonly effect: string
  readonly advice: string
}

/** Evaluates the configuration of a server. */
export function concernsOf({ facts, fsync }: Server): readonly RedisConcern[] {
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

const NOT_PERSISTENT: RedisConcern = {
  kind: 'NOT_PERSISTENT',
  says: 'appendonly is off, so a crash loses every change since the last snapshot.',
  effect:
    'Changes that latchkey acknowledged since then, and their audit events, would be lost, and tokens revoked since then would work again.',
  advice: 'Set: appendonly yes, appendfsync always.',
}

const REPLICA: RedisConcern = {
  kind: 'REPLICA',
  says: 'this server is a replica, which returns stale data.',
  effect: 'Verifications could accept tokens that were already revoked.',
  advice: 'Connect to the primary.',
}

function lateSync(fsync: string): RedisConcern {
  const loss = fsync === 'no' ? 'whatever the operating system had not written yet' : 'up to the last second'
  return {
    kind: 'FSYNC',
    says: `appendfsync is ${fsync.slice(0, 40)}, so a power failure can lose ${loss}.`,
    effect: 'Changes that latchkey acknowledged in that period would be lost, and tokens revoked in that period would work again.',
    advice: 'Set: appendfsync always.',
  }
}

function evicting(policy: string): RedisConcern {
  return {
    kind: 'EVICTION',
    says: `maxmemory-policy is ${policy.slice(0, 40)}, so a full server drops keys.`,
    effect: 'Tokens and audit events could disappear, and usage counts could be too low.',
    advice: 'Set: maxmemory-policy noeviction.',
  }
}

function unchecked(settings: readonly string[]): RedisConcern {
  return {
    kind: 'UNCHECKED',
    says: `the server does not allow reading its settings, so ${settings.join(', ')} could not be checked.`,
    effect: 'To lose no acknowledged change, latchkey needs appendonly yes with appendfsync always, and maxmemory-policy noeviction.',
    advice: "Check them in your provider's console.",
  }
}
