import express from 'express'
import { latchkey } from 'latchkey'
import { authenticate, protect, requireScopes } from 'latchkey/express'
import { memoryStore } from 'latchkey/stores/memory'
import { mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import Database from 'libsql'
import { Pool } from 'pg'
import { afterAll, describe, expect, it } from 'vitest'

const options = { prefix: 'acme_live', scopes: { 'inventory:read': 'See stock' } }
const store = memoryStore()
const tokens = latchkey({ ...options, store })
afterAll(() => tokens.close())

/** Calls what TypeScript would refuse, as JavaScript does. */
const call =
  (made: unknown, ...args: readonly unknown[]) =>
  (): unknown =>
    Reflect.apply(made as () => unknown, undefined, args)

describe('what TypeScript would have refused is told with what to write instead', () => {
  it.each([
    ['a store in place of the options', call(latchkey, store), 'latchkey({ prefix, store, scopes })'],
    ['a store that was not made yet', call(latchkey, { ...options, store: memoryStore }), 'call it, as in memoryStore()'],
    ['the option store by another name', call(latchkey, { ...options, db: store }), 'did you mean "store"?'],
    ['the option pepper by another name', call(latchkey, { ...options, store, secret: 'x' }), 'did you mean "pepper"?'],
    ['a part of an option by another name', call(latchkey, { ...options, store, cache: { ttl: 5 } }), 'did you mean "maxStaleness"?'],
    ['an instance that is not there yet', call(authenticate, Promise.resolve(tokens)), 'not a promise: await it'],
    ['a function in place of the instance', call(authenticate, () => tokens), 'not a function: call it'],
    ['a handle in place of the instance', call(authenticate, tokens.system), 'give the instance itself'],
    ['a store in place of the instance', call(authenticate, store), 'not a store: latchkey({ prefix, store, scopes })'],
    ['authenticate used as middleware itself', call(authenticate, { headers: {} }, {}, () => {}), 'call authenticate(tokens) once'],
    [
      'scopes in the options of authenticate',
      call(authenticate, tokens, { scopes: ['inventory:read'] }),
      "protect(tokens, 'inventory:read')",
    ],
    ['a scope in place of the options', call(authenticate, tokens, 'inventory:read'), "protect(tokens, 'inventory:read')"],
    ['a header in the options of authenticate', call(authenticate, tokens, { header: 'x-api-key' }), 'did you mean "credential"?'],
    ['protect without the instance', call(protect, 'inventory:read'), 'protect(tokens, scope)'],
    ['a list given to requireScopes', call(requireScopes, ['inventory:read']), "requireScopes('a:b', 'c:d')"],
    ['a list given to protect', call(protect, tokens, ['inventory:read']), "requireScopes('a:b', 'c:d')"],
    ['an actor that is not there yet', call(tokens.as, Promise.resolve({})), 'not a promise: await it'],
    ['a pool itself', call(postgresStore, new Pool()), 'postgresStore({ pool: … })'],
    ['a database itself', call(sqliteStore, new Database(':memory:')), 'sqliteStore({ database: … })'],
    ['the options of another library for Postgres', call(postgresStore, { connectionString: 'postgres://x' }), 'did you mean "url"?'],
    ['the options of another library for MySQL', call(mysqlStore, { host: 'x' }), 'did you mean "url"?'],
    ['the options of another library for Redis', call(redisStore, { redis: {} }), 'did you mean "client"?'],
    ['the options of another library for SQLite', call(sqliteStore, { filename: 'x' }), 'did you mean "path"?'],
  ])('%s', (_slip, act, says) =>
    expect(act).toThrow(expect.objectContaining({ code: 'invalid_input', message: expect.stringContaining(says) })),
  )

  it('an application in place of the options is refused before anything is made', () => {
    expect(call(latchkey, express())).toThrow('options: must be an object')
  })

  it.each([
    ['permissions', 'scopes'],
    ['ttl', 'expiresIn'],
    ['expiry', 'expiresIn'],
    ['expires_at', 'expiresAt'],
    ['userId', 'ownerId'],
    ['orgId', 'tenantId'],
    ['ips', 'allowedIps'],
  ])('create() by the words of another library: %s', async (field, meant) => {
    const made = tokens.system.create({ name: 'ERP', scopes: ['inventory:read'], [field]: 'x' } as never)
    await expect(made).rejects.toThrow(`did you mean "${meant}"?`)
  })

  it('create() with the name apart from the rest is told of the name', async () => {
    const made = call(tokens.system.create, 'ERP', { scopes: ['inventory:read'] })() as Promise<unknown>
    await expect(made).rejects.toThrow('create(): must be an object, not "ERP"')
  })

  it.each(['status', 'active', 'enabled'])('update() is told that %s is a call of its own', async (field) => {
    const { record } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
    const updated = tokens.system.update(record.id, { [field]: false } as never)
    await expect(updated).rejects.toThrow('activate, deactivate and revoke are calls of their own')
  })

  it('a record in place of its id is told where the id is', async () => {
    const { record } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
    await expect(tokens.system.revoke(record as never)).rejects.toThrow('as in record.id')
  })
})
