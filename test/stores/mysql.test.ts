import { mysqlStore } from 'latchkey/stores/mysql'
import { storeContract } from 'latchkey/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { service } from '../support/services.js'
import { type OwnPlace, ownDatabase } from './sql/databases.js'
import { mysqlTransactions, stageOver } from './sql/stages.js'

const mysql = await service('mysql')

describe.skipIf(mysql.skip)(`MySQL ${mysql.skip ?? ''}`, () => {
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
      create: () => stageOver(place, open, mysqlTransactions({ uri: place.url })),
    },
  )
})
