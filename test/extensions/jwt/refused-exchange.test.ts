import { latchkey } from 'latchkey'
import { exchange, generateSigningKey, signingKey } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import { describe, expect, it } from 'vitest'
import { ACCESS_TOKEN, createGateway, GRANT, ISSUER } from './support.js'

const GRANTED = { scopes: ['inventory:read'], resources: { warehouse: ['w1'] } }

describe('a refused exchange', () => {
  it.each([
    ['a scope that the token lacks', { scope: 'inventory:write' }, 'scope_insufficient'],
    ['resources that the token lacks', { resources: '{"warehouse":["w9"]}' }, 'resource_denied'],
  ])('an exchange for %s counts as refused, in usage and in the audit log', async (_, more, outcome) => {
    const { ask, create, tokens } = await createGateway()
    const { token, record } = await create(GRANTED)
    expect((await ask(token, more)).status).toBe(400)
    const { total, refused } = (await tokens.system.usage(record.id)) ?? {}
    expect({ total, refused }).toMatchObject({ total: 0, refused: 1 })
    await tokens.flush()
    const { items } = await tokens.system.events({ tokenId: record.id, action: 'token.refused' })
    expect(items.map(({ code }) => code)).toEqual([outcome])
  })

  it('an exchange whose signed token would be too long counts as refused, and nothing is signed', async () => {
    let signatures = 0
    const { publicJwk } = await generateSigningKey()
    const sign = async (): Promise<Uint8Array> => {
      signatures += 1
      return new Uint8Array(64)
    }
    const own = await signingKey({ publicJwk, sign })
    const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { a: 'Do a' }, logger: false })
    const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [own] })
    const ask = (token: string): Promise<Response> =>
      buy(
        new Request(`${ISSUER}/token`, {
          method: 'POST',
          body: new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN, audience: 'stock' }),
        }),
      )
    const many = Array.from({ length: 700 }, (_, at) => `warehouse-${at}`)
    const { token, record } = await tokens.system.create({ name: 'x', scopes: ['a'], resources: { warehouse: many } })
    const answer = await ask(token)
    expect([answer.status, await answer.json()]).toEqual([400, expect.objectContaining({ error: 'invalid_request' })])
    expect([signatures, await tokens.system.usage(record.id)]).toEqual([0, expect.objectContaining({ total: 0, refused: 1 })])
    const few = await tokens.system.create({ name: 'x', scopes: ['a'], resources: { warehouse: many.slice(0, 5) } })
    expect([(await ask(few.token)).status, signatures]).toEqual([200, 1])
  })

  it('an exchange is counted as one allowed use', async () => {
    const { ask, create, tokens } = await createGateway()
    const { token, record } = await create(GRANTED)
    expect((await ask(token)).status).toBe(200)
    expect(await tokens.system.usage(record.id)).toMatchObject({
      total: 1,
      refused: 0,
      endpoints: [{ endpoint: 'POST exchange' }],
      scopes: [{ scope: 'inventory:read', count: 1 }],
      unusedScopes: [],
    })
  })

  it.each([
    ['for malformed resources', { resources: '[' }],
    ['for another audience', { audience: 'elsewhere' }],
  ])('an exchange %s is not counted as a use', async (_, more) => {
    const { ask, create, tokens } = await createGateway()
    const { token, record } = await create(GRANTED)
    expect((await ask(token, more)).status).toBe(400)
    expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0, refused: 0 })
  })

  it('an exchange with a token that is no longer valid according to the primary is not counted as an allowed use', async () => {
    const store = memoryStore()
    const options = { prefix: 'acme_live', scopes: { a: 'b' }, cache: false, logger: false } as const
    const { system } = latchkey({ ...options, store })
    const { token, record } = await system.create({ name: 'x', scopes: ['a'] })
    let reads = 0
    const find: typeof store.find = async (ids) => {
      reads += 1
      // This happens between the decision and the read from the primary.
      if (reads === 2) await system.revoke(record.id)
      return await store.find(ids)
    }
    const node = latchkey({ ...options, store: { ...store, find } })
    const buy = exchange(node, { issuer: ISSUER, audiences: ['stock'], keys: [await generateSigningKey()] })
    const body = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
    expect((await buy(new Request(ISSUER, { method: 'POST', body }))).status).toBe(400)
    expect(await node.system.usage(record.id)).toMatchObject({ total: 0, refused: 0 })
  })

  it('an exchange that fails because of the signing key is refunded and not counted as a use', async () => {
    const tokens = latchkey({
      prefix: 'acme_live',
      store: memoryStore(),
      scopes: { a: 'b' },
      logger: false,
      rateLimit: {
        limits: [{ name: 'token', by: 'token', limiter: new RateLimiterMemory({ points: 2, duration: 60 }) }],
        onFailure: 'refuse',
      },
    })
    const { token, record } = await tokens.system.create({ name: 'x', scopes: ['a'] })
    const { publicJwk } = await generateSigningKey()
    const sign = async () => {
      throw new Error('the KMS is down')
    }
    const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [await signingKey({ publicJwk, sign })] })
    const statuses: number[] = []
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const body = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
      statuses.push((await buy(new Request(ISSUER, { method: 'POST', body }))).status)
    }
    expect(statuses).toEqual([503, 503, 503, 503])
    expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0, refused: 0 })
  })
})
