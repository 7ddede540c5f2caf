import { postgresStore } from 'latchkey/stores/postgres'
import { storeContract } from 'latchkey/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { createPgBouncer, type PgBouncer, pgBouncerMissing } from '../support/pgbouncer.js'
import { service } from '../support/services.js'
import { type OwnPlace, ownSchema } from './sql/databases.js'
import { postgresTransactions, stageOver } from './sql/stages.js'

const postgres = await service('postgres')
const skip = postgres.skip ?? pgBouncerMissing()

describe.skipIf(skip)(`Postgres behind PgBouncer in transaction mode ${skip ?? ''}`, () => {
  let place: OwnPlace
  let pooler: PgBouncer

  beforeAll(async () => {
    place = await ownSchema(postgres.url ?? '')
    pooler = await createPgBouncer(place.url, 8)
  })
  afterAll(async () => {
    await pooler?.dispose()
    await place?.remove()
  })

  /** A pooler in transaction mode cannot hold a LISTEN connection, so the feed must work without one. */
  const open = (): TokenStore => {
    const { subscribe: _, ...store } = postgresStore({ url: pooler.url, schema: place.schema })
    return store
  }

  storeContract(
    { describe, it },
    {
      name: 'postgres behind PgBouncer',
      create: () => stageOver(place, open, postgresTransactions({ connectionString: pooler.url })),
    },
  )
})
