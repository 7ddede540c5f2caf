import type { Minted } from 'latchkey'
import { sha256Tokens } from 'latchkey/import'
import { exchange, generateSigningKey, verifySigned } from 'latchkey/jwt'
import { introspection } from 'latchkey/oauth'
import { createTicket } from 'latchkey/ws'
import { describe, expect, it } from 'vitest'
import { deciderOf, internalsOf } from '../../src/instance.js'
import { codeOf, principalOf, refusal, until, verdict } from '../latchkey/harness.js'
import { accepting, oldToken, terms } from './world.js'

const ISSUER = 'https://auth.example'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** An imported token whose format ends in ten seconds. The clock does not advance unless a test moves it. */
async function ending() {
  let now = Math.ceil(Date.now() / 1000) * 1000
  const end = now + 10_000
  const clock = () => now
  const format = sha256Tokens({ prefix: 'sk_', length: 35, column: 'hash', until: end })
  const tokens = accepting([format], { clock })
  const { token, row } = oldToken(1)
  await tokens.system.import([row], { format, map: terms })
  const key = await generateSigningKey()
  const sell = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [key], clock })
  return {
    tokens,
    token,
    end,
    service: verifySigned({ issuer: ISSUER, audience: 'stock', keys: { keys: [key.publicJwk] }, clock, strict: tokens }),
    async exchanged(): Promise<{ access_token: string; expires_in: number }> {
      const form = { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token_type: ACCESS_TOKEN, subject_token: token }
      const answer = await sell(new Request(ISSUER, { method: 'POST', body: new URLSearchParams(form) }))
      return (await answer.json()) as { access_token: string; expires_in: number }
    },
    pass: (ms: number) => {
      now += ms
    },
  }
}

describe('what is derived from an imported token ends when the format of that token ends', () => {
  it('tickets of an imported token are refused once its format has ended, and no new ones are created', async () => {
    const { tokens, token, pass } = await ending()
    const principal = await principalOf(tokens.verify(token))
    const { ticket } = await createTicket(tokens, principal)
    const used = await createTicket(tokens, principal)
    expect(await verdict(deciderOf(tokens).redeem?.(used.ticket) ?? Promise.reject())).toBe('ok')
    pass(10_000)
    expect(await verdict(tokens.verify(token))).toBe('token_malformed')
    expect(await verdict(deciderOf(tokens).redeem?.(ticket) ?? Promise.reject())).toBe('token_unknown')
    expect(await refusal(createTicket(tokens, principal))).toMatch(/^token_unknown/)
  })

  it('a signed token never outlives the format of the imported token it was exchanged for', async () => {
    const { exchanged } = await ending()
    expect((await exchanged()).expires_in).toBe(10)
  })

  it('an imported token is reported as token_unknown once its format has ended', async () => {
    const { tokens, token, service, exchanged, pass } = await ending()
    const { access_token: signed } = await exchanged()
    expect(await verdict(service.verify(signed))).toBe('ok')
    const { tokenId = '' } = await principalOf(tokens.verify(token))
    pass(10_000)
    expect(await internalsOf(tokens).standing(tokenId)).toMatchObject({ code: 'token_unknown' })
  })

  it('introspection reports when an imported token stops being accepted', async () => {
    const { tokens, token, end } = await ending()
    const introspect = introspection(tokens, { client: () => ({ id: 'gateway', tenants: '*' }) })
    const asked = await introspect(new Request(ISSUER, { method: 'POST', body: new URLSearchParams({ token }) }))
    expect(await asked.json()).toMatchObject({ active: true, exp: end / 1000 })
  })

  it('fires the signal of open requests when the format of their imported token ends', async () => {
    const { tokens, token, pass } = await ending()
    pass(9_950)
    const { signal } = await principalOf(tokens.verify(token))
    expect(signal.aborted).toBe(false)
    pass(50)
    await until(() => signal.aborted)
    expect(codeOf(signal.reason)).toBe('token_expired')
  })

  it('the successor of an imported token has the new format and stays valid when the old format ends', async () => {
    const { tokens, token, pass } = await ending()
    const { tokenId = '' } = await principalOf(tokens.verify(token))
    const successor: Minted = await tokens.system.rotate(tokenId)
    const { signal } = await principalOf(tokens.verify(successor.token))
    pass(20_000)
    expect(await verdict(tokens.verify(successor.token))).toBe('ok')
    expect(signal.aborted).toBe(false)
  })
})
