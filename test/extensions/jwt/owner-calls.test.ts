import { latchkey } from 'latchkey'
import { exchange, generateSigningKey, verifySigned } from 'latchkey/jwt'
import { introspection } from 'latchkey/oauth'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ACCESS_TOKEN, GRANT, ISSUER } from './support.js'

const TIMES = 300
/** A burst of 100, and ten a second while the test runs. */
const MOST = 200

/** A token whose owner is gone, and what derives from it. */
async function orphan() {
  let calls = 0
  let gone = false
  const owner = () => {
    calls += 1
    return gone ? null : { scopes: ['stock:read'] }
  }
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'stock:read': 'See stock' }, owner, logger: false })
  onTestFinished(() => tokens.close())
  const key = await generateSigningKey()
  const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [key] })
  const { token } = await tokens.system.create({ name: 'ERP', tenantId: 'acme', ownerId: 'ann', scopes: ['stock:read'] })
  const form = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
  const response = await buy(new Request(`${ISSUER}/token`, { method: 'POST', body: form }))
  const { access_token } = (await response.json()) as { readonly access_token: string }
  gone = true
  calls = 0
  return { tokens, token, signedToken: access_token, key, calls: () => calls }
}

describe('a token whose owner is gone', () => {
  it('signed tokens whose owner is gone cause a bounded number of calls to the owner callback, and are then rate_limited', async () => {
    const { tokens, signedToken, key, calls } = await orphan()
    const signed = verifySigned({ issuer: ISSUER, audience: 'stock', keys: { keys: [key.publicJwk] }, strict: tokens })
    const results = []
    for (let turn = 0; turn < TIMES; turn += 1) results.push(await signed.verify(signedToken))
    expect(results[0]).toEqual({ ok: false, code: 'owner_denied' })
    expect(results).toContainEqual({ ok: false, code: 'rate_limited', retryAfterSeconds: 1 })
    expect(calls()).toBeLessThan(MOST)
  })

  it('introspection of tokens whose owner is gone causes a bounded number of calls to the owner callback, and then gets 429', async () => {
    const { tokens, token, calls } = await orphan()
    const introspect = introspection(tokens, { client: () => ({ id: 'stock', tenants: '*' }) })
    const statuses = new Set<number>()
    let last: Response | undefined
    for (let turn = 0; turn < TIMES; turn += 1) {
      last = await introspect(new Request(`${ISSUER}/introspect`, { method: 'POST', body: new URLSearchParams({ token }) }))
      statuses.add(last.status)
    }
    expect([...statuses]).toEqual([200, 429])
    expect(last?.headers.get('retry-after')).toBe('1')
    expect(calls()).toBeLessThan(MOST)
  })
})
