import { mysqlStore } from 'latchkey/stores/mysql'
import { storeContract } from 'latchkey/testing'
import { createPool, type Pool } from 'mysql2'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { service } from '../support/services.js'
import { type Contended, contendedMysql } from './sql/contended.js'
import { type OwnPlace, ownDatabase } from './sql/databases.js'
import { mysqlTransactions, stageOver } from './sql/stages.js'

const mysql = await service('mysql')

// Every refused statement is retried after a pause, so the contract takes longer here.
vi.setConfig({ testTimeout: 180_000 })

describe.skipIf(mysql.skip)(`MySQL with one statement in twenty failing on a deadlock or lock timeout ${mysql.skip ?? ''}`, () => {
  let place: OwnPlace
  let raw: Pool
  let contended: Contended<Parameters<typeof contendedMysql>[0]>

  beforeAll(async () => {
    place = await ownDatabase(mysql.url ?? '')
    raw = createPool({ uri: place.url, connectionLimit: 20 })
    contended = contendedMysql(raw as never)
  })
  afterAll(async () => {
    await new Promise((resolve) => raw.end(resolve))
    await place?.remove()
  })

  const open = () => mysqlStore({ pool: contended.pool })

  storeContract(
    { describe, it },
    {
      name: 'mysql with deadlocks',
      create: () => stageOver(place, open, mysqlTransactions({ uri: place.url })),
    },
  )

  it('the contract suite ran with more than 200 refused MySQL statements', () => {
    expect(contended.refusals()).toBeGreaterThan(200)
  })
})
