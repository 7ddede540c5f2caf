import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { StoreUnavailableError } from '../../../src/errors.js'
import type { TokenStore } from '../../../src/store/port.js'
import type { OwnPlace } from './databases.js'
import { event, token } from './samples.js'

/** The server under test in the server cases. */
export type ServerSubject = {
  /** An empty schema or database, which the case removes. */
  place(): Promise<OwnPlace>
  /** A store in that schema or database, opened with a connection string. */
  open(place: OwnPlace): TokenStore
  /** The printed SQL that sets up the store. */
  printed(place: OwnPlace): Promise<string>
  /**
   * A user with a login and no permissions, a store that connects as that user, and how to remove the user. The name replaces `latchkey_app` in
   * the printed SQL.
   */
  limited(place: OwnPlace): Promise<{ readonly user: string; readonly store: TokenStore; remove(): Promise<unknown> }>
  /** Stores that cannot work, each with words that its error must contain. No error may contain `s3cret-word`. */
  broken(place: OwnPlace): Promise<readonly { readonly store: TokenStore; readonly says: string }[]>
}

/** Declares how a store sets up its server and reports what is wrong with it. */
export const serverTests = (subject: ServerSubject): void => {
  const within = async (work: (place: OwnPlace) => Promise<void>): Promise<void> => {
    const place = await subject.place()
    try {
      await work(place)
    } finally {
      await place.remove()
    }
  }

  it('sets up the schema once when ten stores start at the same time', () =>
    within(async (place) => {
      const stores = Array.from({ length: 10 }, () => subject.open(place))
      await Promise.all(stores.map((store) => store.migrate?.()))
      const versions = await place.query('select version from latchkey_migrations order by version')
      expect(new Set(versions.map(({ version }) => version)).size).toBe(versions.length)
      await Promise.all(stores.map((store) => store.commit({ inserts: [token()], events: [event()] })))
      expect(await place.query('select head as n from latchkey_feed where id = 1')).toHaveLength(1)
      await Promise.all(stores.map((store) => store.close?.()))
    }))

  it('completes a setup whose process died between two statements', () =>
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

  it('leaves nothing to set up after the printed SQL is run', () =>
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

  it('works for a user who has only the permissions that the printed SQL grants', () =>
    within(async (place) => {
      const printed = await subject.printed(place)
      for (const statement of printed.split(/;\n\n/)) if (!/^(--[^\n]*\n?)*$/.test(statement)) await place.query(statement)
      const { user, store, remove } = await subject.limited(place)
      try {
        for (const [, grant = ''] of printed.matchAll(/^-- {3}(grant .*);$/gm)) await place.query(grant.replace('latchkey_app', user))
        await store.migrate?.()
        const made = token()
        expect(await store.commit({ inserts: [made], events: [event()] })).toEqual({ ok: true })
        expect(await store.commit({ removals: [made.id], cutsFeed: '0', events: [event()] })).toEqual({ ok: true })
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

  it('reports in one typed error what is wrong and what to do, without the password', () =>
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
