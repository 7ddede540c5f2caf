import { postgresStore } from 'latchkey/stores/postgres'
import { storeContract } from 'latchkey/testing'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { service } from '../support/services.js'
import { type Contended, contendedPostgres } from './sql/contended.js'
import { type OwnPlace, ownSchema } from './sql/databases.js'
import { event, token } from './sql/samples.js'
import { postgresTransactions, stageOver } from './sql/stages.js'

const postgres = await service('postgres')
const SERIALIZABLE = { options: '-c default_transaction_isolation=serializable' }

// Every refused statement is retried after a pause, so the contract takes longer here.
vi.setConfig({ testTimeout: 180_000 })

describe.skipIf(postgres.skip)(`Postgres at serializable with one statement in twenty failing ${postgres.skip ?? ''}`, () => {
  let place: OwnPlace
  let raw: Pool
  let contended: Contended<Parameters<typeof contendedPostgres>[0]>

  beforeAll(async () => {
    place = await ownSchema(postgres.url ?? '')
    raw = new Pool({ connectionString: place.url, max: 20, ...SERIALIZABLE })
    contended = contendedPostgres(raw)
  })
  afterAll(async () => {
    await raw?.end()
    await place?.remove()
  })

  /** Without LISTEN, the feed is polled. */
  const open = (): TokenStore => {
    const { subscribe: _, ...store } = postgresStore({ pool: contended.pool, schema: place.schema })
    return store
  }

  storeContract(
    { describe, it },
    {
      name: 'postgres at serializable',
      create: () => stageOver(place, open, postgresTransactions({ connectionString: place.url, ...SERIALIZABLE })),
    },
  )

  it('ten stores that start at the same time under serializable isolation set up once and make every change', {
    timeout: 120_000,
  }, async () => {
    const own = await ownSchema(postgres.url ?? '')
    try {
      const stores = Array.from({ length: 10 }, () => postgresStore({ pool: contended.pool, schema: own.schema }))
      await Promise.all(stores.map((store) => store.migrate()))
      const changes = stores.flatMap((store) => Array.from({ length: 5 }, () => store.commit({ inserts: [token()], events: [event()] })))
      expect(await Promise.all(changes)).toEqual(changes.map(() => ({ ok: true })))
      expect(await own.query('select count(*)::int as n from latchkey_events')).toEqual([{ n: 50 }])
    } finally {
      await own.remove()
    }
  })

  it('Postgres refused more than 200 statements during the contract suite', () => {
    expect(contended.refusals()).toBeGreaterThan(200)
  })
})
