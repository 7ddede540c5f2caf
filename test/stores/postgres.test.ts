import { postgresStore } from 'latchkey/stores/postgres'
import { storeContract } from 'latchkey/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { service } from '../support/services.js'
import { type OwnPlace, ownSchema } from './sql/databases.js'
import { postgresTransactions, stageOver } from './sql/stages.js'

const postgres = await service('postgres')

describe.skipIf(postgres.skip)(`Postgres ${postgres.skip ?? ''}`, () => {
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
      create: () => stageOver(place, open, postgresTransactions({ connectionString: place.url })),
    },
  )
})
