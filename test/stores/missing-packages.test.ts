import { expect, it } from 'vitest'
import { loadFailure } from '../../adapters/stores/lib/package.js'
import { redisFailure } from '../../adapters/stores/redis/failure.js'
import { openClient } from '../../adapters/stores/redis/open.js'
import { postgresQuirks } from '../../adapters/stores/sql/dialects/postgres-quirks.js'
import { unavailable } from '../../adapters/stores/sql/faults.js'
import type { StoreUnavailableError } from '../../src/errors.js'
import { createReporter } from '../../src/store/reporter.js'

const notFound = Object.assign(new Error("Cannot find package 'x'"), { code: 'ERR_MODULE_NOT_FOUND' })
const absent = async (): Promise<undefined> => undefined

function lineFor(error: unknown): string {
  const lines: string[] = []
  createReporter({ logger: { error: (line) => lines.push(line) } })('store.migrate', error)
  return lines.join('\n')
}

const redis = (): Promise<unknown> => openClient('redis://127.0.0.1:1', { ioredis: absent, redis: absent }).catch((error: unknown) => error)

it.each<[string, () => unknown, string]>([
  ['pg', () => loadFailure('postgres', 'pg', notFound), 'postgres store: pg is not installed: run "npm install pg"'],
  ['mysql2', () => loadFailure('mysql', 'mysql2', notFound), 'mysql store: mysql2 is not installed: run "npm install mysql2"'],
  ['libsql', () => loadFailure('sqlite', 'libsql', notFound), 'sqlite store: libsql is not installed: run "npm install libsql"'],
  ['a Redis client', redis, 'redis store: neither ioredis nor redis is installed: run "npm install ioredis"'],
  [
    'kysely',
    () => loadFailure('postgres', 'kysely', notFound, 'kysely pg'),
    'postgres store: kysely is not installed: run "npm install kysely pg"',
  ],
])('a store without %s names the package and the command, once and without advice about the database', async (_package, fail, message) => {
  const error = (await fail()) as StoreUnavailableError
  expect(error.message).toBe(message)
  const line = lineFor(error)
  expect(line).toContain(`store.migrate: ${message}. Requests that need the store are answered with 503. See `)
  expect(line).not.toContain('Check that the database is running')
})

it.each([
  ['a refused login on Postgres', () => unavailable('postgres', postgresQuirks.faultOf, Object.assign(new Error('x'), { code: '28P01' }))],
  ['a refused login on Redis', () => redisFailure(new Error('WRONGPASS invalid username-password pair'))],
])('logs %s with its own advice only', (_fault, fail) => {
  expect(lineFor(fail())).toMatch(/check the user and password/)
  expect(lineFor(fail())).not.toContain('Check that the database is running')
})

it('logs the general advice for a database fault that has no advice of its own', () => {
  expect(lineFor(unavailable('postgres', postgresQuirks.faultOf, new Error('x')))).toContain('Check that the database is running')
})
