import express from 'express'
import { latchkey } from 'latchkey'
import { authenticate, management, protect, requireScopes } from 'latchkey/express'
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

/** Makes a call that TypeScript would reject, as JavaScript code can. */
const call =
  (made: unknown, ...args: readonly unknown[]) =>
  (): unknown =>
    Reflect.apply(made as () => unknown, undefined, args)

describe('mistakes that TypeScript would catch are reported with the correct form', () => {
  it.each([
    ['a store instead of the options', call(latchkey, store), 'latchkey({ prefix, store, scopes })'],
    ['a store function that was not called', call(latchkey, { ...options, store: memoryStore }), 'call it, as in memoryStore()'],
    ['the option store by another name', call(latchkey, { ...options, db: store }), 'did you mean "store"?'],
    ['the option pepper by another name', call(latchkey, { ...options, store, secret: 'x' }), 'did you mean "pepper"?'],
    ['a field of an option by another name', call(latchkey, { ...options, store, cache: { ttl: 5 } }), 'did you mean "maxStaleness"?'],
    ['a promise of the instance', call(authenticate, Promise.resolve(tokens)), 'not a promise: await it'],
    ['a function instead of the instance', call(authenticate, () => tokens), 'not a function: call it'],
    ['a handle instead of the instance', call(authenticate, tokens.system), 'pass the instance itself'],
    ['a store instead of the instance', call(authenticate, store), 'not a store: latchkey({ prefix, store, scopes })'],
    ['protect with a store', call(protect, store, 'inventory:read'), 'not a store: latchkey({ prefix, store, scopes })'],
    ['an object that contains the instance for protect', call(protect, { tokens }, 'inventory:read'), 'protect(tokens, scope)'],
    ['options for the memory store', call(memoryStore, { path: 'tokens.db' }), 'memoryStore() takes no options'],
    ['options after the path of a database', call(sqliteStore, 'x.db', { tablePrefix: 'x_' }), 'sqliteStore({ path, … })'],
    [
      'a second argument for the Postgres store',
      call(postgresStore, { url: 'postgres://x' }, { tablePrefix: 'x_' }),
      'postgresStore({ url, … })',
    ],
    ['a second argument for the MySQL store', call(mysqlStore, { url: 'mysql://x' }, {}), 'mysqlStore({ url, … })'],
    ['a second argument for the Redis store', call(redisStore, { url: 'redis://x' }, {}), 'redisStore({ url, … })'],
    [
      'scopes in the options of authenticate',
      call(authenticate, tokens, { scopes: ['inventory:read'] }),
      "protect(tokens, 'inventory:read')",
    ],
    ['a scope instead of the options', call(authenticate, tokens, 'inventory:read'), "protect(tokens, 'inventory:read')"],
    ['a header in the options of authenticate', call(authenticate, tokens, { header: 'x-api-key' }), 'did you mean "credential"?'],
    ['protect without the instance', call(protect, 'inventory:read'), 'protect(tokens, scope)'],
    ['a list passed to requireScopes', call(requireScopes, ['inventory:read']), "requireScopes('a:b', 'c:d')"],
    ['a list passed to protect', call(protect, tokens, ['inventory:read']), "requireScopes('a:b', 'c:d')"],
    ['a promise of an actor', call(tokens.as, Promise.resolve({})), 'not a promise: await it'],
    ['a pool instead of the options', call(postgresStore, new Pool()), 'postgresStore({ pool: … })'],
    ['a database instead of the options', call(sqliteStore, new Database(':memory:')), 'sqliteStore({ database: … })'],
    ["another Postgres library's options", call(postgresStore, { connectionString: 'postgres://x' }), 'did you mean "url"?'],
    ["another MySQL library's options", call(mysqlStore, { host: 'x' }), 'did you mean "url"?'],
    ["another Redis library's options", call(redisStore, { redis: {} }), 'did you mean "client"?'],
    ['a Redis prefix', call(redisStore, { url: 'redis://x', prefix: 'x:' }), 'prefix: unknown field; did you mean "keyPrefix"?'],
    ['a table prefix', call(postgresStore, { url: 'postgres://x', prefix: 'x_' }), 'prefix: unknown field; did you mean "tablePrefix"?'],
    ['a Postgres url that is not set', call(postgresStore, { url: undefined }), 'url: is undefined: check where it comes from'],
    ['a MySQL url that is not set', call(mysqlStore, { url: undefined }), 'url: is undefined: check where it comes from'],
    ['a Redis url that is not set', call(redisStore, { url: undefined }), 'url: is undefined: check where it comes from'],
    ['a SQLite path that is not set', call(sqliteStore, { path: undefined }), 'path: is undefined: check where it comes from'],
    ['a pool that is not set', call(postgresStore, { pool: undefined }), 'pool: is undefined: check where it comes from'],
    ['an empty Postgres url', call(postgresStore, { url: '' }), 'url: is empty: check where it comes from'],
    ['an empty MySQL url', call(mysqlStore, { url: ' ' }), 'url: is empty: check where it comes from'],
    ['an empty Redis url', call(redisStore, { url: '' }), 'url: is empty: check where it comes from'],
    ['an empty SQLite path', call(sqliteStore, { path: '' }), 'path: is empty: check where it comes from'],
    ['an empty SQLite path without options', call(sqliteStore, ''), 'path: is empty: check where it comes from'],
    ["another SQLite library's options", call(sqliteStore, { filename: 'x' }), 'did you mean "path"?'],
  ])('the error message shows the correct form after this mistake: %s', (_slip, act, says) =>
    expect(act).toThrow(expect.objectContaining({ code: 'invalid_input', message: expect.stringContaining(says) })),
  )

  it.each([
    ['authenticate itself used as middleware', call(authenticate, { headers: {} }, {}, () => {}), 'call authenticate(tokens) first'],
    ['protect itself used as middleware', call(protect, { headers: {} }, {}, () => {}), 'call protect(tokens, scope) first'],
    ['management itself used as middleware', call(management, { headers: {} }, {}, () => {}), 'call management(tokens, { actor }) first'],
  ])('a framework that calls this function with a request gets a misconfiguration error: %s', (_slip, act, says) =>
    expect(act).toThrow(expect.objectContaining({ code: 'misconfigured', message: expect.stringContaining(says) })),
  )

  it('latchkey() rejects an application passed as its options', () => {
    expect(call(latchkey, express())).toThrow('options: must be an object')
  })

  it.each([
    ['permissions', 'scopes'],
    ['ttl', 'expiresIn'],
    ['expires', 'expiresIn" or "expiresAt'],
    ['expiry', 'expiresIn" or "expiresAt'],
    ['expires_at', 'expiresAt'],
    ['userId', 'ownerId'],
    ['orgId', 'tenantId'],
    ['ips', 'allowedIps'],
  ])("create() suggests the right field for another library's name: %s", async (field, meant) => {
    const made = tokens.system.create({ name: 'ERP', scopes: ['inventory:read'], [field]: 'x' } as never)
    await expect(made).rejects.toThrow(`did you mean "${meant}"?`)
  })

  it('create() called with the name as a separate argument reports what was passed', async () => {
    const made = call(tokens.system.create, 'ERP', { scopes: ['inventory:read'] })() as Promise<unknown>
    await expect(made).rejects.toThrow('create(): must be an object: { name, description, tenantId, ownerId, scopes, … }, not "ERP"')
  })

  it.each(['status', 'active', 'enabled'])('update() called with %s explains which separate calls to use', async (field) => {
    const { record } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
    const updated = tokens.system.update(record.id, { [field]: false } as never)
    await expect(updated).rejects.toThrow('activate, deactivate and revoke are separate calls')
  })

  it.each(['get', 'revoke', 'rotate'] as const)('%s() called with a promise of an ID advises awaiting the promise', async (verb) => {
    const answer = call(tokens.system[verb], Promise.resolve('x'))() as Promise<unknown>
    await expect(answer).rejects.toThrow('as in record.id, not a promise: await it')
  })

  it.each(['list', 'events', 'create'] as const)('%s() rejects a promise of its input and advises awaiting the promise', async (verb) => {
    const answer = call(tokens.system[verb], Promise.resolve({}))() as Promise<unknown>
    await expect(answer).rejects.toThrow('must be an object, not a promise: await it')
  })

  it('a record passed instead of its ID is rejected with a hint', async () => {
    const { record } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'] })
    await expect(tokens.system.revoke(record as never)).rejects.toThrow('as in record.id')
  })
})
