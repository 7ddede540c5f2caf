import type { StoreDiagnosis, StoreFinding } from '../../../src/store/diagnosis.js'
import { fact, finding } from '../lib/findings.js'
import { type Transport, transportOf } from '../lib/transport.js'
import { transportFinding } from '../lib/transport-finding.js'
import { isIoredis, type RedisClient } from './client.js'
import type { Connection } from './connection.js'
import { concernsOf, LAYOUT, type RedisConcern, readServer } from './server.js'

/** Diagnoses a Redis server. */
export async function diagnoseRedis(connection: Connection, transport: Transport | undefined): Promise<StoreDiagnosis> {
  const server = await readServer(connection)
  const { facts, fsync } = server
  const concerns = concernsOf(server)
  const judged = (name: string, fine: string, ...kinds: readonly RedisConcern['kind'][]): StoreFinding => {
    const [found] = concerns.filter(({ kind }) => kinds.includes(kind))
    return finding(name, fine, found && { says: `${found.says} ${found.effect}`, advice: found.advice })
  }
  const known = <T>(value: string | undefined, told: T): readonly T[] => (value === undefined ? [] : [told])
  const way = transport ?? wayOf(await connection.client())
  const micros = facts.get('server_time_usec')
  return {
    findings: [
      fact('server', `Redis ${facts.get('redis_version') ?? 'of an unknown version'}`),
      finding('schema', `layout ${LAYOUT}`, undefined),
      judged('primary', 'yes', 'REPLICA'),
      ...known(
        facts.get('aof_enabled'),
        facts.get('aof_enabled') === '1' && fsync === undefined
          ? fact('durability', 'appendonly yes, appendfsync unknown')
          : judged('durability', `appendonly yes, appendfsync ${fsync}`, 'NOT_PERSISTENT', 'FSYNC'),
      ),
      ...known(facts.get('maxmemory_policy'), judged('eviction', 'maxmemory-policy noeviction', 'EVICTION')),
      ...concerns.filter(({ kind }) => kind === 'UNCHECKED').map(({ says, advice }) => ({ name: 'unchecked', detail: says, advice })),
      ...(way === undefined ? [] : [transportFinding(way)]),
    ],
    ...(micros === undefined ? {} : { now: Number(micros) / 1000 }),
  }
}

/** Returns how the host's client reaches its server. Only a single `ioredis` connection exposes this. */
function wayOf(client: RedisClient): Transport | undefined {
  const stream: unknown = isIoredis(client) ? Reflect.get(client, 'stream') : undefined
  if (stream === undefined || stream === null) return undefined
  const { tls } = Object(Reflect.get(client, 'options')) as { readonly tls?: unknown }
  return transportOf(stream, Reflect.get(Object(tls), 'checkServerIdentity') === undefined)
}
