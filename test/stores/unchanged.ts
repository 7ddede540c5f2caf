import { expect } from 'vitest'
import { StoreUnavailableError } from '../../src/errors.js'
import type { TokenStore } from '../../src/store/port.js'
import { bulkStamp } from '../support/records.js'
import { event, token } from './sql/samples.js'

const TEXT = 'Ω東京 naïve 🔑'
/** An instant in 2026. If only four of its eight bytes were read, it would be in 2037 or in 1970. */
const EXPIRY = 1_787_000_000_123

/**
 * Proves that a store returns everything unchanged: instants, text in every script, JSON, absent values and counts. Tenants whose names
 * share bytes stay distinct.
 */
export const proveUnchanged = async (store: TokenStore): Promise<void> => {
  await store.migrate?.()
  const { cursor: start } = await store.changes(undefined, 10)
  const full = token({
    name: TEXT,
    tenantId: '東',
    ownerId: '💡',
    description: '{"looks":"like JSON"}',
    metadata: { 東: [1, null, '🔑'], at: '2026-01-01T00:00:00.000Z' },
    resources: { warehouse: ['w1', 'naïve'] },
    allowedIps: ['10.0.0.0/8'],
    expiresAt: EXPIRY,
    notBefore: 1,
    replacesId: '1234567890123456',
  })
  // The low bytes of 東 are those of q, so Latin-1 would merge the two.
  const other = token({ tenantId: 'q', name: '12345' })
  const told = event({
    tenantId: '東',
    reason: TEXT,
    before: { name: 'naïve' },
    after: { name: TEXT, list: [1] },
  })
  expect(await store.commit({ inserts: [full, other], events: [told] })).toEqual({ ok: true })
  expect(await store.find([full.id])).toEqual([full])
  const both = await store.find([full.id, other.id, 'none'])
  expect([...both].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([full, other])
  for (const [tenantId, owned] of [
    ['東', full],
    ['q', other],
  ] as const) {
    expect(await store.list({ prefix: 'acme', tenantIds: [tenantId], ids: [full.id, other.id], now: 0, limit: 10 })).toEqual([owned])
  }
  expect(await store.list({ prefix: 'acme', ids: [full.id], nameContains: '東京', now: 0, limit: 10 })).toEqual([full])
  expect(await store.list({ prefix: 'acme', ids: [full.id], expiresBefore: EXPIRY, now: 0, limit: 10 })).toEqual([])
  const events = await store.events({ prefix: 'acme', tenantIds: ['東'], limit: 100 })
  const { seq, ...found } = events.find(({ id }) => id === told.id) ?? { seq: undefined }
  expect(seq).toBeTypeOf('number')
  expect(found).toEqual(told)

  const changed = { ...full, version: 2, name: `${TEXT}!` }
  expect(await store.commit({ updates: [{ expectedVersion: 1, record: changed }], events: [event()] })).toEqual({ ok: true })
  expect(await store.commit({ updates: [{ expectedVersion: 1, record: changed }], events: [event()] })).toEqual({
    ok: false,
    conflict: full.id,
  })
  const page = await store.changes(start, 100)
  expect(page).toMatchObject({ everything: false, more: false, ids: expect.arrayContaining([full.id, other.id]) })

  const batch = {
    nodeId: `node-${full.id}`,
    seq: 1,
    at: EXPIRY,
    counts: [{ tokenId: full.id, bucketAt: 1_787_000_400_000, endpoint: 'GET /東', outcome: 'allowed', scope: '', count: 3 }],
    addresses: [{ tokenId: full.id, ip: '2001:db8::1', count: 3, lastAt: EXPIRY }],
    lastUses: [{ tokenId: full.id, at: EXPIRY }],
  }
  await store.recordUsage(batch)
  await store.recordUsage(batch)
  await store.recordUsage({ ...batch, seq: 2 })
  expect(await store.usage({ tokenIds: [full.id] })).toEqual({
    counts: [{ ...batch.counts[0], count: 6 }],
    addresses: [{ ...batch.addresses[0], count: 6 }],
  })
  expect(await store.list({ prefix: 'acme', ids: [full.id], now: 0, limit: 1 })).toEqual([{ ...changed, lastUsedAt: EXPIRY }])

  const filter = { prefix: 'acme', ids: [full.id, other.id], tenantIds: ['q'] }
  const stamp = bulkStamp({ revokedAt: EXPIRY, revokedBy: TEXT })
  const ended = event({ bulkId: stamp.bulkId })
  expect(await store.revokeWhere(filter, stamp, ended)).toEqual({ count: 1, events: [{ ...ended, tenantId: 'q', count: 1 }] })
  expect(await store.find([full.id])).toEqual([changed])
  expect(await store.find([other.id])).toEqual([{ ...other, ...stamp, version: 2, updatedAt: EXPIRY }])

  const lease = { nodeId: `node-${full.id}`, cursor: page.cursor, expiresAt: EXPIRY + 64 }
  await store.renewLease(lease)
  expect((await store.leases(EXPIRY)).filter(({ nodeId }) => nodeId === lease.nodeId)).toEqual([lease])
  expect(await store.commit({ removals: [full.id, other.id], events: [event()] })).toEqual({ ok: true })
}

/** The error of a store that refuses its connection when it opens. The store must refuse reads and changes as well. */
export const refusalOf = async (store: TokenStore): Promise<string> => {
  const failures = []
  for (const call of [
    async () => store.migrate?.(),
    async () => store.find(['a']),
    async () => store.commit({ inserts: [token()], events: [event()] }),
  ]) {
    failures.push(
      await call().then(
        () => 'it went through',
        (error: unknown) => error,
      ),
    )
  }
  for (const failure of failures) expect(failure).toBeInstanceOf(StoreUnavailableError)
  return String(failures[0])
}
