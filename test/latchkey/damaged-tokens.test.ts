import type { Minted, TokenStore } from 'latchkey'
import { copy } from 'latchkey/copy'
import { memoryStore } from 'latchkey/stores/memory'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { interceptStore } from 'latchkey/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { findDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import { ownFolder } from '../stores/sql/databases.js'
import { storedToken } from '../support/records.js'
import { newKeyPrefix, removeKeys, withRedis } from '../support/redis.js'
import { service } from '../support/services.js'
import { codeOf, instance, mint, refusal, verdict } from './harness.js'

/** A store, and a function that damages the row of a token in it. */
type Subject = { readonly store: TokenStore; readonly damage: (id: string) => unknown; readonly fields: readonly string[] }
type Kind = 'sqlite, no JSON' | 'sqlite, no list' | 'sqlite, no instant' | 'redis' | 'a custom store'

async function sqlite(assignment: string, field: string): Promise<Subject> {
  const folder = await ownFolder()
  onTestFinished(() => folder.remove())
  const file = folder.path('tokens.db')
  const Driver = await findDriver()
  const damage = (id: string): void => {
    const database = new Driver(file)
    const update = database.prepare(`update latchkey_tokens set ${assignment} where id = ?`) as { run(...values: string[]): unknown }
    update.run(id)
    database.close()
  }
  return { store: sqliteStore(file), damage, fields: [field] }
}

async function redis(url: string): Promise<Subject> {
  const keyPrefix = newKeyPrefix()
  onTestFinished(() => withRedis(url, (client) => removeKeys(client, keyPrefix)))
  const damage = (id: string): Promise<unknown> => withRedis(url, (client) => client.set(`${keyPrefix}r:${id}`, '{"broken'))
  return { store: redisStore({ url, keyPrefix, onWarning: () => undefined }), damage, fields: ['record'] }
}

function ownStore(): Subject {
  const damaged = new Set<string>()
  const harm = (row: { readonly id: string }): object => (damaged.has(row.id) ? { ...row, name: 7 } : row)
  const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
    const answer = await proceed()
    return method === 'find' || method === 'list' ? (answer as { id: string }[]).map(harm) : answer
  })
  return { store, damage: (id) => damaged.add(id), fields: ['name'] }
}

async function subjectOf(kind: Kind, skip: (why?: string) => never): Promise<Subject> {
  if (kind === 'sqlite, no JSON') return await sqlite(`scopes = '["stock:'`, 'scopes')
  if (kind === 'sqlite, no list') return await sqlite(`scopes = '5'`, 'scopes')
  if (kind === 'sqlite, no instant') return await sqlite(`created_at = 'soon'`, 'createdAt')
  if (kind === 'a custom store') return ownStore()
  const { url, skip: why } = await service('redis')
  return url === undefined ? skip(why) : await redis(url)
}

async function codeOfCall(call: Promise<unknown>): Promise<string> {
  return await call.then(() => 'done', codeOf)
}

const KINDS = ['sqlite, no JSON', 'sqlite, no list', 'sqlite, no instant', 'redis', 'a custom store'] as const

describe.each(KINDS)('a damaged token on %s', (kind) => {
  /** Five tokens, of which the second, third and last are damaged. */
  async function five(skip: (why?: string) => never) {
    const { store, damage, fields } = await subjectOf(kind, skip)
    let now = Date.now() - 120_000
    const faults: string[] = []
    const tokens = instance({
      store,
      clock: () => now,
      cache: false,
      onError: ({ where, error }) => faults.push(`${where}: ${error.message}`),
    })
    const minted: Minted[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      minted.push(await mint(tokens, { name, expiresIn: 60 }))
      now += 1
    }
    const bad = [1, 2, 4].flatMap((at) => minted[at] ?? [])
    const good = [3, 0].flatMap((at) => minted[at] ?? [])
    for (const { record } of bad) await damage(record.id)
    return { store, tokens, faults, fields, bad, good, clock: () => now, pass: (ms: number) => (now += ms) }
  }

  it('a damaged token is refused, cannot be changed, and is reported by ID instead of as unknown', async ({ skip }) => {
    const { tokens, bad, good, fields } = await five(skip)
    for (const { token } of good) expect(await verdict(tokens.verify(token))).toBe('ok')
    for (const { token, record } of bad) {
      expect(await verdict(tokens.verify(token))).toMatch(/^(store_unavailable|token_expired)$/)
      for (const change of [
        () => tokens.system.get(record.id),
        () => tokens.system.update(record.id, { name: 'New' }),
        () => tokens.system.rotate(record.id),
      ]) {
        const error = (await change().catch((fault: unknown) => fault)) as Error
        expect([codeOf(error), error.message]).toEqual(['store_unavailable', expect.stringContaining(`token ${record.id} is damaged`)])
        expect(error.message).toContain(fields.join(', '))
      }
    }
  })

  it('a damaged token does not exist for an actor who cannot see it', async ({ skip }) => {
    const { store, damage } = await subjectOf(kind, skip)
    const tokens = instance({ store, cache: false })
    const { record } = await mint(tokens, { tenantId: 'acme' })
    await damage(record.id)
    for (const actor of [
      { id: 'ada', tenants: ['globex'], manages: 'all' },
      { id: 'bob', tenants: '*', manages: 'own' },
    ] as const) {
      const handle = tokens.as(actor)
      const answers = (id: string) =>
        Promise.all([
          ...[handle.get(id), handle.events({ tokenId: id }), handle.list({ ids: [id] })],
          handle.usageOf({ ids: [id], from: new Date(Date.now() - 3_600_000) }),
          ...[handle.update(id, { name: 'New' }), handle.rotate(id), handle.revoke(id), handle.activate(id), handle.deactivate(id)].map(
            codeOfCall,
          ),
          ...[handle.usage(id), handle.explain(id)].map(codeOfCall),
        ])
      expect(await answers(record.id)).toEqual(await answers('0'.repeat(16)))
    }
  })

  it('a damaged token does not keep lists from returning other tokens, whatever the page size, and is reported once', async ({ skip }) => {
    const { tokens, bad, good, fields, faults } = await five(skip)
    const ids = good.map(({ record }) => record.id)
    for (const limit of [1, 2, 3, 100]) {
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = await tokens.system.list({ limit, cursor })
        seen.push(...page.items.map(({ id }) => id))
        cursor = page.nextCursor
      } while (cursor !== undefined)
      expect([limit, seen]).toEqual([limit, ids])
    }
    const { damagedTokens } = await tokens.health()
    expect([...damagedTokens].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
      bad.map(({ record }) => ({ id: record.id, fields })).sort((a, b) => (a.id < b.id ? -1 : 1)),
    )
    for (const { record } of bad) {
      const told = faults.filter((fault) => fault.includes(record.id))
      expect(told).toEqual([expect.stringMatching(/^store\.list: token \w+ is damaged in the store: .* cannot be read/)])
    }
  })

  it('a damaged token does not keep prune from removing other tokens', async ({ skip }) => {
    const { tokens, pass } = await five(skip)
    pass(61_000)
    expect(await tokens.system.prune({ before: new Date(Date.now() - 58_000) })).toEqual({ count: 2 })
  })

  it('a damaged token that may belong to the owner is named in the error, after erase() has erased everything else', async ({ skip }) => {
    const { store, damage } = await subjectOf(kind, skip)
    const tokens = instance({ store, cache: false })
    const [one, two, other] = [
      await mint(tokens, { name: 'Of Ada', ownerId: 'ada' }),
      await mint(tokens, { name: 'Also of Ada', ownerId: 'ada' }),
      await mint(tokens, { name: 'Of Bob', ownerId: 'bob' }),
    ]
    await tokens.system.revokeAll({ ownerId: 'ada' })
    await damage(two.record.id)
    const error = (await tokens.system.erase({ ownerId: 'ada' }).catch((fault: unknown) => fault)) as Error
    expect([codeOf(error), error.message]).toEqual(['store_unavailable', expect.stringContaining(two.record.id)])
    expect((await tokens.system.get(one.record.id))?.name).toBe('erased')
    expect((await tokens.system.get(other.record.id))?.name).toBe('Of Bob')
  })

  it('a damaged token is named and not copied to another store, because its contents are unknown', async ({ skip }) => {
    const { tokens, bad, good, clock } = await five(skip)
    const after = instance({ store: memoryStore(), cache: false, clock })
    const { parts, damagedTokens } = await copy(tokens, after)
    expect([parts?.tokens.count, [...damagedTokens].sort()]).toEqual([2, bad.map(({ record }) => record.id).sort()])
    expect(await refusal(copy(tokens, after, { step: 'open' }))).toBe('done')
    for (const { token } of good) expect(await verdict(after.verify(token))).toBe('ok')
    for (const { token } of bad) expect(await verdict(after.verify(token))).toBe('token_unknown')
  })

  it('a store with only a damaged token does not count as empty when another store is copied into that store', async ({ skip }) => {
    const { store, damage } = await subjectOf(kind, skip)
    const lost = storedToken({ prefix: 'acme_test' })
    await store.migrate?.()
    await store.commit({ inserts: [lost], events: [] })
    await damage(lost.id)
    const error = (await copy(instance(), instance({ store })).catch((fault: unknown) => fault)) as Error
    expect([codeOf(error), error.message]).toEqual(['conflict', expect.stringContaining('already contains tokens')])
  })
})
