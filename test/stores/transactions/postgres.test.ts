import { CamelCasePlugin, Kysely, PostgresDialect } from 'kysely'
import { postgresStore } from 'latchkey/stores/postgres'
import { Client, Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { service } from '../../support/services.js'
import { type OwnPlace, ownSchema } from '../sql/databases.js'
import { event, token } from '../sql/samples.js'
import { type Begun, committedWithinBulk, kyselySubject, transactionCases, watchBulk } from './cases.js'

const postgres = await service('postgres')
const url = postgres.url ?? ''

describe.skipIf(postgres.skip)(`host transactions in Postgres ${postgres.skip ?? ''}`, () => {
  let place: OwnPlace
  beforeAll(async () => {
    place = await ownSchema(url)
  })
  afterAll(() => place?.remove())
  const open = () => postgresStore({ url, schema: place.schema })

  const client = async (begin: string | undefined): Promise<Begun> => {
    const connection = new Client({ connectionString: url })
    await connection.connect()
    if (begin !== undefined) await connection.query(begin)
    const end = (how: string) => async () => {
      await connection.query(how)
      await connection.end()
    }
    return { transaction: connection, commit: end('commit'), rollback: end('rollback') }
  }
  describe.each(['begin', 'begin isolation level repeatable read', 'begin isolation level serializable'])('a pg client: %s', (begin) => {
    transactionCases({ open, begin: () => client(begin), idle: () => client(undefined), others: true })
  })

  describe('during a bulk revocation', () => {
    const pools: Pool[] = []
    afterAll(() => Promise.all(pools.map((pool) => pool.end())))
    committedWithinBulk(
      (moment, then) => {
        const pool = new Pool({ connectionString: url })
        pools.push(pool)
        let waits = true
        const isDue = watchBulk(moment, /^select (distinct "changed_id" from|"id" from .*"state" in)/)
        pool.on('connect', (connection) => {
          const query = connection.query.bind(connection) as (config: { readonly text: string }) => Promise<unknown>
          Object.assign(connection, {
            async query(config: { readonly text: string }) {
              if (isDue(config.text) && waits) {
                waits = false
                await then()
              }
              return query(config)
            },
          })
        })
        return postgresStore({ pool, schema: place.schema })
      },
      () => client('begin'),
    )
  })

  it('refuses a pg client whose encoding cannot represent every character, and explains what to do', async () => {
    const store = open()
    await store.migrate?.()
    const { transaction, rollback } = await client("begin; set client_encoding = 'EUC_JP'")
    const adding = Promise.resolve(store.commitIn?.(transaction, { inserts: [token()], events: [event()] }))
    await expect(adding).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/create the database with UTF8/),
    })
    await rollback()
    await store.close?.()
  })

  describe("a client of the host's pool", () => {
    const pools: Pool[] = []
    afterAll(() => Promise.all(pools.map((pool) => pool.end())))
    const pooled = async (begin: string | undefined): Promise<Begun> => {
      const pool = new Pool({ connectionString: url, max: 1 })
      pools.push(pool)
      const connection = await pool.connect()
      if (begin !== undefined) await connection.query(begin)
      const end = (how: string) => async () => {
        await connection.query(how)
        connection.release()
      }
      return { transaction: connection, commit: end('commit'), rollback: end('rollback') }
    }
    transactionCases({ open, begin: () => pooled('begin'), idle: () => pooled(undefined), others: true })
  })

  describe('Kysely with plugins', () => {
    let kysely: Kysely<Record<string, never>>
    beforeAll(() => {
      kysely = new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: url }) }), plugins: [new CamelCasePlugin()] })
    })
    afterAll(() => kysely.destroy())
    transactionCases({ open, ...kyselySubject(() => kysely), others: true })
  })
})
