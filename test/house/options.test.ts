import { generateKeyPairSync } from 'node:crypto'
import { latchkey } from 'latchkey'
import { dashboard } from 'latchkey/dashboard'
import { exchange, foreignTokens, generateSigningKey, jwks, verifySigned } from 'latchkey/jwt'
import { leakReports } from 'latchkey/leaks'
import { introspection, protectedResource, revocation, revocationByPossession, whoami } from 'latchkey/oauth'
import { telemetry } from 'latchkey/otel'
import { natsTransport, redisTransport, relayedStore } from 'latchkey/relay'
import { memoryStore } from 'latchkey/stores/memory'
import { migrationSql, mysqlStore } from 'latchkey/stores/mysql'
import { postgresStore } from 'latchkey/stores/postgres'
import { redisStore } from 'latchkey/stores/redis'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { authenticate, management } from 'latchkey/web'
import { webhooks } from 'latchkey/webhooks'
import { describe, expect, it } from 'vitest'

const core = { prefix: 'acme_live', store: memoryStore(), scopes: { 'inventory:read': 'See stock' } }
const tokens = latchkey(core)
const key = await generateSigningKey()
const verifier = { issuer: 'https://auth.test', audience: 'stock', keys: { url: 'https://auth.test/jwks.json' } }
const client = (): undefined => undefined
const signed = verifySigned(verifier)

/** Every function with options, a misspelled option, and its correct spelling. */
const takers: readonly (readonly [name: string, take: (options: never) => unknown, options: object, slip: string, meant: string])[] = [
  ['latchkey', latchkey, core, 'onEvents', 'onEvent'],
  ['authenticate', (options) => authenticate(tokens, new Request('https://api.test'), options), {}, 'option', 'optional'],
  ['management', (options) => management(tokens, options), { actor: client, mountPath: '/tokens' }, 'allowedOrigin', 'allowedOrigins'],
  ['dashboard', dashboard, {}, 'titel', 'title'],
  ['sqliteStore', sqliteStore, { path: 'tokens.db' }, 'busyTimeoutMs', 'busyTimeout'],
  ['postgresStore', postgresStore, { url: 'postgres://localhost/app' }, 'poolsize', 'poolSize'],
  ['mysqlStore', mysqlStore, { url: 'mysql://localhost/app' }, 'tableprefix', 'tablePrefix'],
  ['redisStore', redisStore, { url: 'redis://localhost' }, 'keyprefix', 'keyPrefix'],
  ['migrationSql', (options) => migrationSql('postgres', options), {}, 'table', 'tablePrefix'],
  [
    'exchange',
    (options) => exchange(tokens, options),
    { issuer: 'https://auth.test', audiences: ['a'], keys: [key] },
    'expires',
    'expiresIn',
  ],
  ['jwks', (options) => jwks([key], options), {}, 'onErrors', 'onError'],
  ['verifySigned', verifySigned, verifier, 'clock_tolerance', 'clockTolerance'],
  ['foreignTokens', foreignTokens, { ...verifier, principal: client }, 'algorithm', 'algorithms'],
  ['leakReports', (options) => leakReports(tokens, options), {}, 'actions', 'action'],
  ['introspection', (options) => introspection(tokens, options), { client }, 'isuer', 'issuer'],
  ['revocation', (options) => revocation(tokens, options), { client }, 'Realm', 'realm'],
  ['revocationByPossession', (options) => revocationByPossession(tokens, options), {}, 'perminute', 'perMinute'],
  ['telemetry', (options) => telemetry(tokens, options), {}, 'owners', 'owner'],
  ['protectedResource', (options) => protectedResource(tokens, options), { resource: 'https://api.test' }, 'scope', 'scopes'],
  [
    'relayedStore',
    (options) => relayedStore(memoryStore(), options),
    { transport: { publish: client, subscribe: client }, key: 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0P' },
    'chanel',
    'channel',
  ],
  ['natsTransport', natsTransport, { connection: { publish: client, subscribe: client } }, 'conection', 'connection'],
  ['redisTransport', redisTransport, { client: { publish: client, duplicate: client } }, 'clients', 'client'],
  [
    'webhooks',
    (options) => webhooks(tokens, options),
    { webhookKey: 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0P', endpoints: [] },
    'endpoint',
    'endpoints',
  ],
]

describe('options', () => {
  it.each(takers)('%s rejects a misspelled option with a suggestion', async (_, take, options, slip, meant) => {
    const call = async (): Promise<unknown> => take({ ...options, [slip]: 1 } as never)
    await expect(call()).rejects.toMatchObject({
      code: 'invalid_input',
      field: slip,
      message: expect.stringContaining(JSON.stringify(meant)),
    })
  })

  it.each(takers.filter(([name]) => name !== 'authenticate'))('%s rejects options that are not an object', async (_, take) => {
    for (const options of [null, 7, ['x']])
      await expect((async () => take(options as never))()).rejects.toMatchObject({ code: 'invalid_input' })
  })

  it.each([
    ['postgresStore', postgresStore],
    ['mysqlStore', mysqlStore],
    ['redisStore', redisStore],
  ])('%s rejects a string with the correct form, without quoting its password', (name, take) => {
    const call = (): unknown => take('postgres://ada:hunter2@db/app' as never)
    expect(call).toThrow(`${name}({ url })`)
    expect(call).not.toThrow(/hunter2/)
  })

  it('options whose loss would weaken verification are rejected if undefined', () => {
    expect(() => verifySigned({ ...verifier, strict: undefined } as never)).toThrow(/strict: is undefined/)
    expect(() => latchkey({ ...core, pepper: undefined } as never)).toThrow(/pepper: is undefined/)
    expect(signed.issuer).toBe(verifier.issuer)
  })

  it('exchange() rejects an unusable key and names the function that creates keys', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const keys = [privateKey.export({ format: 'jwk' })]
    expect(() => exchange(tokens, { issuer: 'https://auth.test', audiences: ['a'], keys } as never)).toThrow(/signingKey\(\)/)
  })

  it('whoami() validates the options that it passes to the guard', async () => {
    expect(() => whoami(tokens, { credentials: 'bearer' } as never)).toThrow(expect.objectContaining({ field: 'credentials' }))
    expect(() => whoami(tokens, { ip: 'x' } as never)).toThrow(expect.objectContaining({ field: 'ip' }))
  })
})
