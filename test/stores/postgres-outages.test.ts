import { postgresStore } from 'latchkey/stores/postgres'
import { afterAll, beforeAll, describe } from 'vitest'
import { service } from '../support/services.js'
import { type OwnPlace, ownSchema } from './sql/databases.js'
import { outageTests } from './sql/outages.js'
import { proxyBefore } from './sql/proxy.js'

const postgres = await service('postgres')

describe.skipIf(postgres.skip)(`Postgres during an outage ${postgres.skip ?? ''}`, () => {
  let place: OwnPlace

  beforeAll(async () => {
    place = await ownSchema(postgres.url ?? '')
  })
  afterAll(() => place?.remove())

  outageTests({
    proxy: () => proxyBefore(place.url, 5432),
    open: (url) => postgresStore({ url, schema: place.schema, poolSize: 5 }),
  })
})
