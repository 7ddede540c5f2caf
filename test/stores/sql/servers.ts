import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { StoreUnavailableError } from '../../../src/errors.js'
import type { TokenStore } from '../../../src/store/port.js'
import type { OwnPlace } from './databases.js'
import { event, token } from './samples.js'

/** What the cases about a server need. */
export type ServerSubject = {
  /** An empty schema or database, removed by the case. */
  place(): Promise<OwnPlace>
  /** A store in it, by a connection string. */
  open(place: OwnPlace): TokenStore
  /** The statements of the printed SQL for it. */
  printed(place: OwnPlace): Promise<string>
  /** A user with a login and no rights at all, a store that connects as it, and how to remove it. `USER` in the printed SQL is its name. */
  limited(place: OwnPlace): Promise<{ readonly user: string; readonly store: TokenStore; remove(): Promise<unknown> }>
  /** Stores that cannot work, with the words that their error must hold. None of them may tell `s3cret-word`. */
  broken(place: OwnPlace): Promise<readonly { readonly store: TokenStore; readonly says: string }[]>
}

/** Declares what a store promises about setting up its server and about telling what is wrong with it. */
export const serverTests = (subject: ServerSubject): void => {
  const within = async (work: (place: OwnPlace) => Promise<void>): Promise<void> => {
    const place = await subject.place()
    try {
      await work(place)
    } finally {
      await place.remove()
    }
  }

  it('is set up once by ten that start at the same time', () =>
    within(async (place) => {
      const stores = Array.from({ length: 10 }, () => subject.open(place))
      await Promise.all(stores.map((store) => store.migrate?.()))
      const versions = await place.query('select version from latchkey_migrations order by version')
      expect(new Set(versions.map(({ version }) => version)).size).toBe(versions.length)
      await Promise.all(stores.map((store) => store.commit({ inserts: [token()], events: [event()] })))
      expect(await place.query('select head as n from latchkey_feed')).toHaveLength(1)
      await Promise.all(stores.map((store) => store.close?.()))
    }))

  it('is set up by the next one where one died half-way, after any of its statements', () =>
    within(async (place) => {
      const statements = (await subject.printed(place)).split(/;\n\n/).map((text) => text.trim())
      for (const done of [1, 3, 7, 12]) {
        for (const statement of statements.slice(0, done)) await place.query(statement)
        const store = subject.open(place)
        await store.migrate?.()
        expect(await store.commit({ inserts: [token()], events: [event()] })).toEqual({ ok: true })
        await store.close?.()
        const tables = ['tokens', 'events', 'changes', 'feed', 'usage_counts', 'usage_addresses', 'last_uses', 'usage_sources', 'leases']
        for (const table of [...tables, 'migrations']) await place.query(`drop table latchkey_${table}`)
      }
    }))

  it('has nothing left to set up after its printed SQL was run', () =>
    within(async (place) => {
      for (const statement of (await subject.printed(place)).split(/;\n\n/)) {
        await place.query(statement)
      }
      const before = await place.query('select version from latchkey_migrations')
      const store = subject.open(place)
      await store.migrate?.()
      expect(await place.query('select version from latchkey_migrations')).toEqual(before)
      expect(await store.commit({ inserts: [token()], events: [event()] })).toEqual({ ok: true })
      await store.close?.()
    }))

  it('works for a user who has what the printed SQL grants, and no more', () =>
    within(async (place) => {
      const printed = await subject.printed(place)
      for (const statement of printed.split(/;\n\n/)) if (!/^(--[^\n]*\n?)*$/.test(statement)) await place.query(statement)
      const { user, store, remove } = await subject.limited(place)
      try {
        for (const [, grant = ''] of printed.matchAll(/^-- {3}(grant .*);$/gm)) await place.query(grant.replace('latchkey_app', user))
        await store.migrate?.()
        const made = token()
        expect(await store.commit({ inserts: [made], events: [event()] })).toEqual({ ok: true })
        expect(await store.commit({ removals: [made.id], cutsFeed: true, events: [event()] })).toEqual({ ok: true })
        await store.recordUsage({ nodeId: 'n', seq: 1, at: 1, counts: [], addresses: [], lastUses: [] })
        await store.renewLease({ nodeId: 'n', cursor: '0', expiresAt: 2 })
        expect(await store.saveConsumer({ prefix: 'p', name: 'n', version: 1, position: 0 })).toBe(true)
        expect(await store.saveSeal({ prefix: 'p', number: 1, body: '{}' })).toBe(true)
        expect(await store.placeEvents?.('p')).toEqual([])
        expect(await store.takeTicket('p', '0'.repeat(64))).toBe(undefined)
      } finally {
        await store.close?.()
        await remove()
      }
    }))

  it('says in one typed error what is wrong and what to do, and never the password', () =>
    within(async (place) => {
      for (const { store, says } of await subject.broken(place)) {
        const error = await Promise.resolve(store.migrate?.())
          .then(() => store.commit({ inserts: [token()], events: [event()] }))
          .then(
            () => undefined,
            (failure: unknown) => failure,
          )
        expect(error, says).toBeInstanceOf(StoreUnavailableError)
        expect(String(error)).toContain(says)
        expect(inspect(error, { depth: null, showHidden: true })).not.toContain('s3cret-word')
        await Promise.resolve(store.close?.()).catch(() => {})
      }
    }))
}
