import { postgresStore } from 'latchkey/stores/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPgBouncer, pgBouncerMissing } from '../support/pgbouncer.js'
import { service } from '../support/services.js'
import { type OwnPlace, ownSchema } from './sql/databases.js'
import { event, token } from './sql/samples.js'

const postgres = await service('postgres')
const skip = postgres.skip ?? pgBouncerMissing()

describe.skipIf(skip)(`named statements behind PgBouncer ${skip ?? ''}`, () => {
  let place: OwnPlace
  const tokens = [token(), token(), token()]
  const ids = tokens.map(({ id }) => id)

  beforeAll(async () => {
    place = await ownSchema(postgres.url ?? '')
    const store = postgresStore({ url: place.url, schema: place.schema })
    await store.migrate()
    await store.commit({ inserts: tokens, events: [event()] })
    await store.close()
  })
  afterAll(() => place?.remove())

  it('finds tokens if processes that share PgBouncer connections prepare their statements in different orders', async () => {
    for (let round = 0; round < 8; round += 1) {
      const pooler = await createPgBouncer(place.url, 2)
      const open = () => postgresStore({ url: pooler.url, schema: place.schema, poolSize: 1 })
      const [manyFirst, oneFirst] = [open(), open()] as const
      try {
        for (let turn = 0; turn < 6; turn += 1) {
          const [many, one] = await Promise.all([
            manyFirst.find(turn % 3 === 2 ? ids.slice(0, 1) : ids),
            oneFirst.find(turn % 3 === 2 ? ids : ids.slice(0, 1)),
          ])
          expect([many.length, one.length].sort()).toEqual([1, 3])
        }
      } finally {
        await manyFirst.close()
        await oneFirst.close()
        await pooler.dispose()
      }
    }
  })
})
