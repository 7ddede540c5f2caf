import { postgresStore } from 'latchkey/stores/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { service } from '../support/services.js'
import { type OwnPlace, ownSchema } from './sql/databases.js'
import { event, token } from './sql/samples.js'

const postgres = await service('postgres')
const url = postgres.url ?? ''

describe.skipIf(postgres.skip)(`a feed that continues in a copy of a Postgres database ${postgres.skip ?? ''}`, () => {
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

  /** Copies the feed of the first database into the second, as if the second were a promoted standby. */
  const promote = async (): Promise<readonly [TokenStore, TokenStore]> => {
    const [old, fresh] = places
    const [before, after] = stores
    if (old === undefined || fresh === undefined || before === undefined || after === undefined) throw new Error('no places')
    await fresh.query('truncate latchkey_changes, latchkey_feed, latchkey_events')
    for (const table of ['changes', 'feed'])
      await fresh.query(`insert into latchkey_${table} select * from "${old.schema}".latchkey_${table}`)
    return [before, after]
  }

  it('continues the feed of a promoted copy for readers that are not ahead of the copy', async () => {
    const first = stores[0] as TokenStore
    await commit(first)
    const cursor = await end(first)
    const [, promoted] = await promote()
    expect(await promoted.changes(cursor, 10)).toMatchObject({ everything: false, ids: [], cursor })
    const made = await commit(promoted)
    expect(await promoted.changes(cursor, 10)).toMatchObject({ everything: false, ids: [made] })
  })

  it('readers ahead of a promoted copy learn that anything may have changed, even once positions repeat', async () => {
    const first = stores[0] as TokenStore
    await commit(first)
    const [old, promoted] = await promote()
    await commit(old)
    const ahead = await end(old)
    // The copy reuses the position that the old database gave to the lost change, and adds more.
    for (let at = 0; at < 3; at += 1) await commit(promoted)
    const page = await promoted.changes(ahead, 10)
    expect(page).toMatchObject({ everything: true, cursor: await end(promoted) })
    expect(await promoted.changes(page.cursor, 10)).toMatchObject({ everything: false, ids: [] })
    expect(await old.changes(page.cursor, 10)).toMatchObject({ everything: true, cursor: ahead })
  })

  it('treats positions of the old database as behind positions of the promoted copy, whatever their numbers', async () => {
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
