import type { CompiledQuery } from 'kysely'
import { expect, it } from 'vitest'
import { events } from '../../adapters/stores/sql/queries/events.js'
import type { EventQuery } from '../../src/store/port.js'
import { plansOf } from './sql/sqlite-plans.js'

const QUERIES: readonly Omit<EventQuery, 'prefix' | 'limit'>[] = [
  {},
  { order: 'oldest' },
  { after: 7 },
  { actorId: 'ada' },
  { from: 1, to: 2 },
  { tenantIds: ['t'] },
  { tenantIds: ['t'], actorId: 'ada' },
  { tenantIds: ['t', 'u'], actions: ['token.created'] },
  { tokenId: 'x', actorId: 'ada' },
  { actions: ['token.created'], order: 'oldest' },
  { createdBy: 'ada', from: 1 },
]

it.each(QUERIES)('reads the events that match %o in index order in SQLite, without planner statistics', async (query) => {
  // The position up to which the second statement reads.
  const rowsOf = ({ sql }: CompiledQuery) => (sql.includes('offset') ? [{ seq: 5 }] : [])
  const plans = await plansOf((sql) => events(sql, { prefix: 'acme_live', limit: 10, ...query }), rowsOf)
  const reads = plans.filter((detail) => detail.includes('latchkey_events'))
  expect(reads.length).toBeGreaterThan(0)
  for (const detail of reads) expect(detail).toMatch(/^SEARCH .* USING (?:COVERING )?INDEX latchkey_events_\w+ \(prefix=\?/)
  expect(plans.filter((detail) => detail.includes('TEMP B-TREE'))).toEqual([])
})
