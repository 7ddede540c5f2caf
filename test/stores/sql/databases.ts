import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'

const unique = (): string => `latchkey_test_${process.pid}_${Math.random().toString(36).slice(2, 10)}`

/** A schema, database or folder that no other test uses, and a function that removes it. */
export type OwnPlace = {
  readonly url: string
  readonly schema: string
  /** Runs SQL in it, bypassing the store. */
  query(text: string): Promise<readonly Record<string, unknown>[]>
  remove(): Promise<void>
}

/** A new schema in the Postgres server that tests use. */
export const ownSchema = async (url: string): Promise<OwnPlace> => {
  const schema = unique()
  const client = new Client({ connectionString: url, options: `-c search_path=${schema}` })
  client.on('error', () => {})
  await client.connect()
  await client.query(`create schema ${schema}`)
  return {
    url,
    schema,
    query: async (text) => (await client.query<Record<string, unknown>>(text)).rows,
    async remove() {
      await client.query(`drop schema ${schema} cascade`)
      await client.end()
    },
  }
}

/** A new database in the MySQL or MariaDB server that tests use. */
export const ownDatabase = async (url: string): Promise<OwnPlace> => {
  const schema = unique()
  const connection = await createConnection({ uri: url })
  await connection.query(`create database ${schema}`)
  await connection.query(`use ${schema}`)
  const own = new URL(url)
  own.pathname = `/${schema}`
  return {
    url: own.href,
    schema,
    query: async (text) => (await connection.query(text))[0] as Record<string, unknown>[],
    async remove() {
      await connection.query(`drop database ${schema}`)
      await connection.end()
    },
  }
}

/** A new folder for database files. */
export const ownFolder = async (): Promise<{ readonly path: (name: string) => string; remove(): Promise<void> }> => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-test-'))
  return { path: (name) => join(folder, name), remove: () => rm(folder, { recursive: true, force: true }) }
}

/** Drops the history of a store's feed, as the store does once the feed is long. */
export const TRIM = ['delete from latchkey_changes', 'update latchkey_feed set floor = head'] as const
