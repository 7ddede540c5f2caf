import { postgresStore } from 'latchkey/stores/postgres'
import { storeContract } from 'latchkey/testing'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { service } from '../support/services.js'
import { type OwnPlace, ownSchema, TRIM } from './sql/databases.js'

const postgres = await service('postgres')

describe.skipIf(postgres.skip)(`postgres ${postgres.skip ?? ''}`, () => {
  let place: OwnPlace

  beforeAll(async () => {
    place = await ownSchema(postgres.url ?? '')
  })
  afterAll(() => place?.remove())

  const open = () => postgresStore({ url: place.url, schema: place.schema })

  storeContract(
    { describe, it },
    {
      name: 'postgres',
      create: () => ({
        store: open(),
        second: open(),
        reopen: open,
        async trimFeed() {
          for (const statement of TRIM) await place.query(statement)
        },
        async beginTransaction() {
          const transaction = new Client({ connectionString: place.url })
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
