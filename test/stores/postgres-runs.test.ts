import { postgresStore } from 'latchkey/stores/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { service } from '../support/services.js'
import { type OwnPlace, ownSchema } from './sql/databases.js'
import { event, token } from './sql/samples.js'

const postgres = await service('postgres')
const url = postgres.url ?? ''

describe.skipIf(postgres.skip)(`a feed that goes on in a copy of a postgres database ${postgres.skip ?? ''}`, () => {
  const places: OwnPlace[] = []
  const stores: TokenStore[] = []

  beforeAll(async () => {
    for (let at = 0; at < 2; at += 1) {
      const place = await ownSchema(url)
      const store = postgresStore({ url, schema: place.schema, poolSize: 2 })
      await store.migrate()
      places.push(place)
      stores.push(store)
    }
  })
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close?.()))
    for (const place of places) await place.remove()
  })

  const commit = async (store: TokenStore): Promise<string> => {
    const made = token()
    await store.commit({ inserts: [made], events: [event()] })
    return made.id
  }

  const end = async (store: TokenStore): Promise<string> => (await store.changes(undefined, 1)).cursor

  /** The second database becomes what the first one is now, as a standby that is promoted. */
  const promote = async (): Promise<readonly [TokenStore, TokenStore]> => {
    const [old, fresh] = places
    const [before, after] = stores
    if (old === undefined || fresh === undefined || before === undefined || after === undefined) throw new Error('no places')
    await fresh.query('truncate latchkey_changes, latchkey_feed, latchkey_events')
    for (const table of ['changes', 'feed'])
      await fresh.query(`insert into latchkey_${table} select * from "${old.schema}".latchkey_${table}`)
    return [before, after]
  }

  it('is followed on by whoever had read no further than the copy goes', async () => {
    const first = stores[0] as TokenStore
    await commit(first)
    const cursor = await end(first)
    const [, promoted] = await promote()
    expect(await promoted.changes(cursor, 10)).toMatchObject({ everything: false, ids: [], cursor })
    const made = await commit(promoted)
    expect(await promoted.changes(cursor, 10)).toMatchObject({ everything: false, ids: [made] })
  })

  it('tells that everything may have changed whoever had read what the copy never got, also once it gave out the same places again', async () => {
    const first = stores[0] as TokenStore
    await commit(first)
    const [old, promoted] = await promote()
    await commit(old)
    const ahead = await end(old)
    // The place that the old one gave to what was lost, and others behind it.
    for (let at = 0; at < 3; at += 1) await commit(promoted)
    const page = await promoted.changes(ahead, 10)
    expect(page).toMatchObject({ everything: true, cursor: await end(promoted) })
    expect(await promoted.changes(page.cursor, 10)).toMatchObject({ everything: false, ids: [] })
    expect(await old.changes(page.cursor, 10)).toMatchObject({ everything: true, cursor: ahead })
  })

  it('has positions that those of the other one have not reached, whatever their numbers', async () => {
    const first = stores[0] as TokenStore
    await commit(first)
    const [old, promoted] = await promote()
    await commit(promoted)
    const target = await end(promoted)
    for (let at = 0; at < 3; at += 1) await commit(old)
    const ahead = await end(old)
    expect(promoted.reached(ahead, target)).toBe(false)
    expect(promoted.reached(target, target)).toBe(true)
    await commit(promoted)
    expect(promoted.reached(await end(promoted), target)).toBe(true)
  })
})
