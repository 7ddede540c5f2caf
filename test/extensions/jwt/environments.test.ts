import { latchkey } from 'latchkey'
import { exchange, generateSigningKey, verifySigned } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import { verdict } from '../../latchkey/harness.js'
import { ACCESS_TOKEN, GRANT, ISSUER } from './support.js'

const SCOPES = { 'inventory:read': 'See stock' }

describe('two environments that share a store, a signing key, an issuer and an audience', () => {
  it.each([undefined, false] as const)('a strict service refuses a signed token of the other environment (cache: %s)', async (cache) => {
    const store = memoryStore()
    const environment = (prefix: string) => {
      const tokens = latchkey({ prefix, store, scopes: SCOPES, logger: false, ...(cache !== undefined && { cache }) })
      onTestFinished(() => tokens.close())
      return tokens
    }
    const [live, test] = [environment('acme_live'), environment('acme_test')]
    const key = await generateSigningKey()
    const buy = exchange(test, { issuer: ISSUER, audiences: ['stock'], keys: [key] })
    const { token } = await test.system.create({ name: 'ERP', scopes: ['inventory:read'] })
    const form = new URLSearchParams({ grant_type: GRANT, subject_token: token ?? '', subject_token_type: ACCESS_TOKEN, audience: 'stock' })
    const answer = await buy(new Request(`${ISSUER}/token`, { method: 'POST', body: form }))
    const { access_token } = (await answer.json()) as { access_token: string }
    const service = (strict: typeof live) =>
      verifySigned({ issuer: ISSUER, audience: 'stock', keys: { keys: [key.publicJwk as never] }, strict })
    expect(await verdict(service(test).verify(access_token))).toBe('ok')
    expect(await verdict(service(live).verify(access_token))).toBe('token_unknown')
    // Verified again, because the store's answer may be cached by now.
    expect(await verdict(service(live).verify(access_token))).toBe('token_unknown')
    expect(await verdict(service(test).verify(access_token))).toBe('ok')
  })
})
