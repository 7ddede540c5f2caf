import { postgresStore } from 'latchkey/stores/postgres'
import { storeContract } from 'latchkey/testing'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { createPgBouncer, type PgBouncer, pgBouncerMissing } from '../support/pgbouncer.js'
import { service } from '../support/services.js'
import { type OwnPlace, ownSchema, TRIM } from './sql/databases.js'

const postgres = await service('postgres')
const skip = postgres.skip ?? pgBouncerMissing()

describe.skipIf(skip)(`postgres behind PgBouncer in transaction mode ${skip ?? ''}`, () => {
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

  /** Such a pooler gives no connection to listen on, and a store without one is what the feed has to do with. */
  const open = (): TokenStore => {
    const { subscribe: _, ...store } = postgresStore({ url: pooler.url, schema: place.schema })
    return store
  }

  storeContract(
    { describe, it },
    {
      name: 'postgres behind PgBouncer',
      create: () => ({
        store: open(),
        second: open(),
        reopen: open,
        async trimFeed() {
          for (const statement of TRIM) await place.query(statement)
        },
        async beginTransaction() {
          const transaction = new Client({ connectionString: pooler.url })
          await transaction.connect()
          await transaction.query('begin')
          const end = (how: string) => async () => {
            await transaction.query(how)
            await transaction.end()
          }
          return { transaction, commit: end('commit'), rollback: end('rollback') }
        },
      }),
    },
  )
})
