import { mysqlStore } from 'latchkey/stores/mysql'
import { storeContract } from 'latchkey/testing'
import { createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { service } from '../support/services.js'
import { type OwnPlace, ownDatabase, TRIM } from './sql/databases.js'

const mysql = await service('mysql')

describe.skipIf(mysql.skip)(`mysql ${mysql.skip ?? ''}`, () => {
  let place: OwnPlace

  beforeAll(async () => {
    place = await ownDatabase(mysql.url ?? '')
  })
  afterAll(() => place?.remove())

  const open = () => mysqlStore({ url: place.url })

  storeContract(
    { describe, it },
    {
      name: 'mysql',
      create: () => ({
        store: open(),
        second: open(),
        reopen: open,
        async trimFeed() {
          for (const statement of TRIM) await place.query(statement)
        },
        async beginTransaction() {
          const transaction = await createConnection({ uri: place.url })
          await transaction.beginTransaction()
          const end = (how: 'commit' | 'rollback') => async () => {
            await transaction[how]()
            await transaction.end()
          }
          return { transaction, commit: end('commit'), rollback: end('rollback') }
        },
      }),
    },
  )
})
