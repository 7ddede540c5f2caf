import { isDeepStrictEqual } from 'node:util'
import type { Redis } from 'ioredis'
import { expect, it, onTestFinished } from 'vitest'
import { redisStore } from '../../adapters/stores/redis.js'
import { fc } from '../support/property.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { service } from '../support/services.js'
import { prunedAndErased } from './pruned-and-erased.js'

const FIELDS = [
  ...['id', 'at', 'action', 'prefix', 'actorId', 'tokenId', 'tenantId', 'ownerId', 'createdBy', 'ip', 'reason', 'code'],
  ...['count', 'before', 'after', 'details', 'bulkId', 'salt', 'erased', 'note'],
]

/** Another value for a field of an event. */
const otherThan = (value: unknown): unknown => {
  if (typeof value === 'number') return value + 1
  return typeof value === 'object' ? { n: 1 } : `${value ?? ''}x`
}

/** Access to the server: its client, and the keys of the audit log's events and seals. */
type Log = { readonly client: Redis; readonly root: string; readonly log: string; readonly seals: string }
type Entry = { readonly id: string; readonly seq: number; readonly body: string }

/** Changes keys during a check, and restores them afterward. */
async function meanwhile(client: Redis, keys: readonly string[], look: () => Promise<void>): Promise<void> {
  const saved = await Promise.all(keys.map((key) => client.dumpBuffer(key)))
  try {
    await look()
  } finally {
    for (const [index, key] of keys.entries()) {
      const value = saved[index]
      if (value == null) await client.del(key)
      else await client.restore(key, 0, value, 'REPLACE')
    }
  }
}

/** Whether an action changes a single field of an event. */
const isOfField = (name: string): boolean => FIELDS.includes(name.split(' ')[1] ?? '')

type Act = (place: Log, one: Entry, other: Entry) => Promise<unknown>

/** Actions after which an event is missing or another event is in its place. */
const ACTS: { readonly [name: string]: Act } = {
  'removes an event': async ({ client, root, log }, { id }) => [await client.del(`${root}ev:${id}`), await client.zrem(log, id)],
  'removes the body of an event': ({ client, root }, { id }) => client.del(`${root}ev:${id}`),
  'removes an event from the log, and leaves its body': ({ client, log }, { id }) => client.zrem(log, id),
  'replaces its body with that of another': ({ client, root }, { id }, { body }) => client.set(`${root}ev:${id}`, body),
  'leaves text that is not an event': ({ client, root }, { id }) => client.set(`${root}ev:${id}`, 'x'),
  'swaps two': async ({ client, log }, one, other) => {
    await client.zadd(log, one.seq, other.id)
    await client.zadd(log, other.seq, one.id)
  },
  'moves an event before all other events': ({ client, log }, { id }) => client.zadd(log, -7, id),
  'moves an event after all other events': ({ client, log }, { id }) => client.zadd(log, 1_000_000, id),
  'moves an event to a position that is not a number': ({ client, log }, { id, seq }) =>
    client.zadd(log, seq % 2 === 0 ? '-inf' : '+inf', id),
  'moves an event to the position of another event': ({ client, log }, { id }, { seq }) => client.zadd(log, seq, id),
  ...Object.fromEntries(
    // Two events at the same position are ordered by ID.
    ['0', 'zz'].map((id): [string, Act] => [
      `inserts an event at the position of another event, as ${id}`,
      async ({ client, root, log }, { body, seq }) => {
        await client.set(`${root}ev:${id}`, JSON.stringify({ ...JSON.parse(body), id }))
        await client.zadd(log, String(seq), id)
      },
    ]),
  ),
  ...Object.fromEntries(
    [-1, 0.5, -1e6].map((by): [string, Act] => [
      `inserts an event ${by} after another event`,
      async ({ client, root, log }, { body, seq }) => {
        await client.set(`${root}ev:zz`, JSON.stringify({ ...JSON.parse(body), id: 'zz' }))
        await client.zadd(log, String(seq + by), 'zz')
      },
    ]),
  ),
  'changes a seal': async ({ client, seals }) => client.lset(seals, 0, String(await client.lindex(seals, 0)).replace('"at":', '"at":1')),
  'removes the first seal': ({ client, seals }) => client.lpop(seals),
  'removes the last seal': ({ client, seals }) => client.rpop(seals),
  'duplicates a seal': async ({ client, seals }) => client.lpush(seals, String(await client.lindex(seals, 0))),
  ...Object.fromEntries(
    FIELDS.map((field): [string, Act] => [
      `changes ${field}`,
      ({ client, root }, { id, body }) => {
        const event = JSON.parse(body)
        return client.set(`${root}ev:${id}`, JSON.stringify({ ...event, [field]: otherThan(event[field]) }))
      },
    ]),
  ),
  ...Object.fromEntries(
    FIELDS.map((field): [string, Act] => [
      `removes ${field}`,
      ({ client, root }, { id, body }) => {
        const { [field]: _, ...event } = JSON.parse(body)
        return client.set(`${root}ev:${id}`, JSON.stringify(event))
      },
    ]),
  ),
}

it('verification detects every change to the keys of an audit log on Redis', { timeout: 120_000 }, async ({ skip }) => {
  const { url, skip: why } = await service('redis')
  if (url === undefined) return skip(why)
  const root = newKeyPrefix()
  onTestFinished(() => withRedis(url, (client) => removeKeys(client, root)))
  const { tokens, sealed, isFound, isHonest } = await prunedAndErased(redisStore({ url, keyPrefix: root, onWarning: () => {} }))
  await withRedis(url, async (client) => {
    const place: Log = { client, root, log: `${root}e:["acme_test"]`, seals: `${root}seals:"acme_test"` }
    const flat = await client.zrange(place.log, '0', '-1', 'WITHSCORES')
    const entries: Entry[] = []
    for (let at = 0; at < flat.length; at += 2) {
      const id = String(flat[at])
      entries.push({ id, seq: Number(flat[at + 1]), body: String(await client.get(`${root}ev:${id}`)) })
    }
    expect(entries.length).toBe(sealed)
    const prove = async (name: string, act: Act, one: Entry, other: Entry): Promise<void> => {
      const bodies = [one.id, other.id, '0', 'zz'].map((id) => `${root}ev:${id}`)
      await meanwhile(client, [place.log, place.seals, ...bodies], async () => {
        const before = await client.mget(bodies)
        await act(place, one, other)
        // Removing a field that the event does not have changes nothing.
        if (name.startsWith('removes ') && isDeepStrictEqual(await client.mget(bodies), before) && isOfField(name)) return
        await isFound(`${name}: ${one.body}`)
      })
    }
    const entry = fc.constantFrom(...entries)

    const [ofFields, others] = [true, false].map((is) => Object.entries(ACTS).filter(([name]) => isOfField(name) === is))
    const acts = fc.oneof(fc.constantFrom(...(ofFields ?? [])), fc.constantFrom(...(others ?? [])))
    await fc.assert(
      fc.asyncProperty(entry, entry, acts, async (one, other, [name, act]) => {
        fc.pre(one !== other)
        await prove(name, act, one, other)
      }),
      { numRuns: 100, endOnFailure: true },
    )
    await isHonest()

    // The list of one token's events reads a separate index, which no seal covers. The index lists only events that are in the log.
    const { tokenId = '' } = entries.map(({ body }) => JSON.parse(body)).find((event) => event.tokenId !== undefined) ?? {}
    const before = await tokens.handle.events({ tokenId })
    const index = `${root}e:["acme_test","token","${tokenId}"]`
    const forged = { ...JSON.parse(entries[0]?.body ?? ''), id: 'zz', tokenId }
    await client.set(`${root}ev:zz`, JSON.stringify(forged))
    for (const seq of [0, entries[0]?.seq ?? 0, before.items.length, 1e6]) {
      await client.zadd(index, seq, 'zz')
      for (const order of ['oldest', 'newest'] as const) {
        const { items } = await tokens.handle.events({ tokenId, order })
        expect(items).toEqual(order === 'newest' ? before.items : before.items.toReversed())
      }
    }
    await isHonest()
  })
})
