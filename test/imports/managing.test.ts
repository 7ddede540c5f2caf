import { plainTokens, sanctumTokens, sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { createManagement } from '../../src/management/index.js'
import { mint } from '../latchkey/harness.js'
import { accepting, oldToken, sha256 } from './world.js'

const old = sha256Tokens({ prefix: 'sk_', length: 35 })
const map = () => ({ name: 'Old', scopes: ['stock:read' as const] })
const ada = { id: 'ada', tenants: '*', manages: 'all' } as const

/** The code that a signed-in person is answered whose request has these fields, or the status. */
async function answerTo(tokens: ReturnType<typeof accepting>, headers: Record<string, string>, options = {}): Promise<unknown> {
  const api = createManagement(tokens, options)
  const response = await api.fetch(new Request('https://api.test/t/', { headers }), { actor: ada }, '/t')
  return response.ok ? response.status : ((await response.json()) as { readonly code: string }).code
}

const basic = (user: string, password = ''): string => `Basic ${btoa(`${user}:${password}`)}`

it('a request with an imported token manages nothing, whoever is signed in, however the token is sent', async () => {
  const tokens = accepting([old, sanctumTokens()])
  const { token, row } = oldToken(1)
  const secret = 'S'.repeat(48)
  await tokens.system.import([row], { format: old, map })
  await tokens.system.import([{ id: 7, token: sha256(secret) }], { format: 'sanctum', map })
  const { token: own } = await mint(tokens)
  for (const authorization of [
    `Bearer ${token}`,
    `Bearer 7|${secret}`,
    token,
    `Bearer x, Bearer ${token}`,
    basic(token),
    basic('x', token),
    `${basic('x')}, ${basic(token)}`,
    `${basic(own)}, ${basic('x', own)}`,
    `${basic('x')}, ${basic(own)}`,
  ]) {
    expect([authorization, await answerTo(tokens, { authorization })]).toEqual([authorization, 'token_cannot_manage'])
  }
  expect(await answerTo(tokens, { 'x-api-key': token }, { credential: { header: 'x-api-key' } })).toBe('token_cannot_manage')
})

it('a credential of the host’s own, which only looks like an imported token, is none', async () => {
  const tokens = accepting([plainTokens({ prefix: 'sk_' })])
  expect(await answerTo(tokens, { authorization: 'Bearer sk_of-the-host' })).toBe(200)
  expect(await answerTo(tokens, { authorization: basic('sk_of-the-host') })).toBe(200)
})

it('where it cannot be told whether a credential is an imported token, nobody manages', async () => {
  const store = faultyStore(memoryStore())
  const tokens = accepting([old], { store, logger: false })
  store.behave({ find: { do: 'fail', error: new Error('down') } })
  expect(await answerTo(tokens, { authorization: `Bearer ${oldToken(1).token}` })).toBe('store_unavailable')
})
