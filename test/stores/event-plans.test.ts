import { createRequire } from 'node:module'
import type { CompiledQuery } from 'kysely'
import { expect, it } from 'vitest'
import { sqlOf } from '../../adapters/stores/sql/context.js'
import { sqliteQuirks } from '../../adapters/stores/sql/dialects/sqlite-quirks.js'
import type { Engine } from '../../adapters/stores/sql/engine.js'
import { events } from '../../adapters/stores/sql/queries/events.js'
import type { EventQuery } from '../../src/store/port.js'

const names = { tablePrefix: 'latchkey_' }
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

it.each(QUERIES)('reads the events of %o in SQLite in the order of an index, without statistics', async (query) => {
  const Database = createRequire(import.meta.url)('libsql')
  const database = new Database(':memory:')
  for (const { statements } of sqliteQuirks.migrations(names)) for (const statement of statements) database.exec(statement)
  const plans: string[] = []
  const engine = {
    run({ sql, parameters }: CompiledQuery) {
      const steps = database.prepare(`explain query plan ${sql}`).all(...parameters)
      plans.push(...steps.map(({ detail }: { detail: string }) => detail))
      // The position up to which the second statement reads.
      return { rows: sql.includes('offset') ? [{ seq: 5 }] : [] }
    },
  } as unknown as Engine
  await events(sqlOf(engine, sqliteQuirks, names), { prefix: 'acme_live', limit: 10, ...query })
  database.close()
  const reads = plans.filter((detail) => detail.includes('latchkey_events'))
  expect(reads.length).toBeGreaterThan(0)
  for (const detail of reads) expect(detail).toMatch(/^SEARCH .* USING (?:COVERING )?INDEX latchkey_events_\w+ \(prefix=\?/)
  expect(plans.filter((detail) => detail.includes('TEMP B-TREE'))).toEqual([])
})
