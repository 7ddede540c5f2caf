import { sqliteStore } from 'latchkey/stores/sqlite'
import { afterAll, expect, it, vi } from 'vitest'
import { findDriver } from '../../adapters/stores/sql/dialects/sqlite-open.js'
import { ownFolder } from './sql/databases.js'
import { event, token } from './sql/samples.js'

const folder = await ownFolder()
afterAll(() => folder.remove())

it('uses the same SQL text for every SQLite usage report in steps, regardless of where the report starts', async () => {
  const database = new (await findDriver())(folder.path('tokens.db'))
  const store = sqliteStore({ database })
  await store.migrate?.()
  const { id } = token()
  await store.commit({ inserts: [token({ id })], events: [event()] })
  const use = { tokenId: id, endpoint: 'GET /stock', outcome: 'allowed', scope: '' }
  const counts = [1_000, 1_099, 1_100, 1_250].map((bucketAt) => ({ ...use, bucketAt, count: 1 }))
  await store.recordUsage({ nodeId: 'n', seq: 1, at: 1_000, counts, addresses: [], lastUses: [] })
  const prepared = vi.spyOn(database, 'prepare')
  for (const [turn, from] of [1_000, 1_001, 1_050.5].entries()) {
    const report = await store.usage({ tokenIds: [id], from, stepMs: 100 + turn, to: 5_000 })
    expect(report.counts.reduce((sum, { count }) => sum + count, 0)).toBe(turn === 0 ? 4 : 3)
    expect(report.counts[0]?.bucketAt).toBe([1_000, 1_001, 1_050][turn])
  }
  expect(new Set(prepared.mock.calls.map(([text]) => text)).size).toBe(1)
  database.close()
})
