import { postgresStore } from 'latchkey/stores/postgres'
import { storeContract } from 'latchkey/testing'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { PostgresServer, replicationMissing } from '../support/postgres-server.js'
import { type OwnPlace, ownSchema } from './sql/databases.js'
import { postgresTransactions, stageOver } from './sql/stages.js'

const skip = replicationMissing()

describe.skipIf(skip)(`Postgres with a streaming replica for cache misses ${skip ?? ''}`, () => {
  let primary: PostgresServer
  let standby: PostgresServer
  let place: OwnPlace

  beforeAll(async () => {
    primary = await PostgresServer.primary()
    standby = await PostgresServer.standby(primary, 'standby')
    place = await ownSchema(primary.url)
  })
  afterAll(async () => {
    await place?.remove()
    await standby?.dispose()
    await primary?.dispose()
  })

  storeContract(
    { describe, it },
    {
      name: 'postgres with a replica',
      create: () =>
        stageOver(
          place,
          () => postgresStore({ url: primary.url, schema: place.schema, read: { url: standby.url } }),
          postgresTransactions({ connectionString: primary.url }),
        ),
    },
  )
})
