import { latchkey } from 'latchkey'
import { ownTokens, plainTokens, sanctumTokens, sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { authenticate, management } from 'latchkey/web'
import { expect, it, onTestFinished, vi } from 'vitest'
import { internalsOf } from '../../src/instance.js'
import { createManagement } from '../../src/management/index.js'
import { holderActor } from '../../src/model/own-actor.js'
import { mint, principalOf } from '../latchkey/harness.js'
import { accepting, IMPORT_KEY, oldToken, SCOPES, sha256 } from './world.js'

const old = sha256Tokens({ prefix: 'sk_', length: 35 })
const map = () => ({ name: 'Old', scopes: ['stock:read' as const] })
const ada = { id: 'ada', tenants: '*', manages: 'all' } as const

/** The error code, or the status, of a signed-in person's request with these headers. */
async function answerTo(tokens: ReturnType<typeof accepting>, headers: Record<string, string>, options = {}): Promise<unknown> {
  const api = createManagement(tokens, options)
  const response = await api.fetch(new Request('https://api.test/t/', { headers }), { actor: ada }, '/t')
  return response.ok ? response.status : ((await response.json()) as { readonly code: string }).code
}

const basic = (user: string, password = ''): string => `Basic ${btoa(`${user}:${password}`)}`

it('refuses management to a request with an imported token, regardless of who is signed in and how the token is sent', async () => {
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

it('refuses management to an imported token with colons in its text or many words around it', async () => {
  const colons = ownTokens({
    name: 'colons',
    key: (credential) => /^k([0-9]+):/.exec(credential)?.[1],
    verify: (credential) => credential === 'k1:secret',
  })
  const tokens = accepting([colons])
  await tokens.system.import([{ key: 1, hash: 'its hash' }], { format: colons, map })
  expect(await answerTo(tokens, { authorization: 'Bearer k1:secret' })).toBe('token_cannot_manage')
  const others = Array.from({ length: 40 }, (_, at) => `k${at + 2}:x`).join(' ')
  expect(await answerTo(tokens, { authorization: `Bearer ${others} k1:secret` })).toBe('token_cannot_manage')
})

it('the management API reads fewer than fifty words of a request, however many the request contains', async () => {
  let reads = 0
  const counted = ownTokens({
    name: 'counted',
    key: (credential) => {
      reads += 1
      return /^k([0-9]+)$/.exec(credential)?.[1]
    },
    verify: () => false,
  })
  const tokens = accepting([counted])
  const words = Array.from({ length: 2000 }, (_, at) => `k${at}`).join(' ')
  expect(await answerTo(tokens, { authorization: `Bearer ${words}` })).toBe('token_cannot_manage')
  expect(reads).toBeLessThan(50)
})

it('allows management with a credential of the host that only looks like an imported token', async () => {
  const tokens = accepting([plainTokens({ prefix: 'sk_' })])
  expect(await answerTo(tokens, { authorization: 'Bearer sk_of-the-host' })).toBe(200)
  expect(await answerTo(tokens, { authorization: basic('sk_of-the-host') })).toBe(200)
})

it('refuses management if latchkey cannot tell whether a credential is an imported token', async () => {
  const store = faultyStore(memoryStore())
  const tokens = accepting([old], { store, logger: false })
  store.behave({ find: { do: 'fail', error: new Error('down') } })
  expect(await answerTo(tokens, { authorization: `Bearer ${oldToken(1).token}` })).toBe('store_unavailable')
})

it('anonymous management requests share the lookup budget with the guard', async () => {
  const store = memoryStore()
  const find = vi.spyOn(store, 'find')
  const stopped = vi.spyOn(performance, 'now').mockReturnValue(performance.now())
  onTestFinished(() => stopped.mockRestore())
  const tokens = accepting([sanctumTokens()], { store, logger: false })
  const ip = '203.0.113.9'
  const manage = management(tokens, { mountPath: '/t', actor: () => undefined, ip: () => ip })
  let made = 0
  const word = (): string => `${++made}|${String(made).padStart(48, 'x')}`
  const ask = async (): Promise<number> =>
    (await manage(new Request('http://api.test/t', { headers: { authorization: Array.from({ length: 30 }, word).join(' ') } }))).status
  const statuses = new Set<number>()
  for (let request = 0; request < 30; request += 1) statuses.add(await ask())
  expect([...statuses]).toEqual([401, 503])
  const looked = find.mock.calls.length
  expect(looked).toBeGreaterThan(0)
  // The guard shares this budget, which is now used up.
  const { response } = await authenticate(tokens, new Request('http://api.test/', { headers: { authorization: `Bearer ${word()}` } }), {
    ip,
  })
  expect([response?.status, find.mock.calls.length]).toEqual([503, looked])
})

it('limits the comparisons of wrong secrets that are sent to the management API', async () => {
  let compared = 0
  const slow = ownTokens({
    name: 'slow',
    key: (credential) => /^k-([0-9]+)-/.exec(credential)?.[1],
    verify: (credential) => {
      compared += 1
      return credential === 'k-1-secret'
    },
  })
  const tokens = accepting([slow], { logger: false })
  await tokens.system.import([{ key: 1, hash: 'its hash' }], { format: slow, map })
  const ask = async (ip: string | undefined, secret: string): Promise<number> => {
    const manage = management(tokens, { mountPath: '/t', actor: () => undefined, ip: () => ip })
    return (await manage(new Request('http://api.test/t', { headers: { authorization: `Bearer ${secret}` } }))).status
  }
  for (let guess = 0; guess < 40; guess += 1) await ask('203.0.113.9', `k-1-guess${guess}`)
  expect(compared).toBeLessThan(40)
  expect(await tokens.introspect('k-1-secret')).toMatchObject({ active: true })
})

it('ignores a principal from the guard of another instance, which may have a token with the same ID', async () => {
  const [here, there] = [accepting([sanctumTokens()], { logger: false }), accepting([sanctumTokens()], { logger: false })]
  const [mine, theirs] = ['M'.repeat(48), 'T'.repeat(48)]
  const own = () => ({ name: 'Old', scopes: ['stock:read' as const] })
  await here.system.import([{ id: 7, token: sha256(mine) }], { format: 'sanctum', map: own })
  await there.system.import([{ id: 7, token: sha256(theirs) }], { format: 'sanctum', map: own })
  const request = new Request('http://api.test/t/self', { headers: { authorization: `Bearer 7|${mine}` } })
  const { principal } = await authenticate(here, request)
  const api = createManagement(there, {})
  expect(principal?.tokenId).toBe((await there.introspect(`7|${theirs}`)).record?.id)
  const refused = await api.fetch(request, { actor: undefined, principal }, '/t')
  expect(refused.status).toBe(401)
  // The principal does not replace the other token in the audit log either.
  await api.fetch(new Request('http://api.test/t'), { actor: ada, principal }, '/t')
  await there.flush()
  const { items } = await there.system.events({ action: 'management.refused' })
  expect(items.map(({ actorId, tokenId }) => [actorId, tokenId])).toContainEqual([expect.stringMatching(/^foreign:/), undefined])
})

it('a token whose format has ended still cannot manage tokens, and is not passed to the `foreign` option', async () => {
  let now = Date.now()
  const ending = sha256Tokens({ prefix: 'sk_', length: 35, until: new Date(now + 60_000).toISOString() })
  const tokens = accepting([ending], { clock: () => now })
  const { token, row } = oldToken(1)
  await tokens.system.import([row], { format: ending, map })
  now += 120_000
  expect(await answerTo(tokens, { authorization: `Bearer ${token}` })).toBe('token_cannot_manage')
  expect(await answerTo(tokens, { authorization: `Bearer ${oldToken(2).token}` })).toBe(200)
  const asked: string[] = []
  const foreign = (credential: string): undefined => void asked.push(credential)
  const guarded = await authenticate(tokens, new Request('https://api.test/', { headers: { authorization: `Bearer ${token}` } }), {
    foreign,
  })
  expect([guarded.response?.status, asked]).toEqual([401, []])
})

it.each(['first', 'last'])(
  'a successor that a holder creates expires with the first of the records that share its secret: the record listed %s',
  async (place) => {
    let now = Date.UTC(2030, 0, 1)
    const shape = { prefix: 'sk_', length: 35 }
    const [hashed, plain] = [sha256Tokens({ ...shape, name: 'hashed' }), plainTokens({ ...shape, name: 'plain' })]
    const scopes = { ...SCOPES, 'tokens:rotate-self': 'Rotate itself' }
    const formats = place === 'first' ? [plain, hashed] : [hashed, plain]
    const tokens = latchkey({
      ...{ prefix: 'acme_test', store: memoryStore(), scopes, logger: false, clock: () => now },
      imports: { key: IMPORT_KEY, formats },
    })
    onTestFinished(() => tokens.close())
    const { token, row } = oldToken(1)
    const until = (days: number) => ({
      ...{ name: 'Old', tenantId: 'acme', scopes: ['stock:read' as const, 'tokens:rotate-self' as const] },
      expiresAt: new Date(now + days * 86_400_000),
    })
    await tokens.system.import([{ token }], { format: plain, map: () => until(2) })
    await tokens.system.import([row], { format: hashed, map: () => until(365) })
    const api = createManagement(tokens, {})
    const call = async (method: string, path: string) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const request = new Request(`https://api.test/t${path}`, { method, headers, ...(method === 'POST' && { body: '{"overlap":300}' }) })
      return (await (await api.fetch(request, { actor: undefined }, '/t')).json()) as {
        token: string
        record: { id: string; expiresAt: string }
      }
    }
    const end = new Date(now + 2 * 86_400_000).toISOString()
    expect((await call('GET', '/self')).record.expiresAt).toBe(end)
    const rotated = await call('POST', '/self/rotate')
    expect(rotated.record.expiresAt).toBe(end)
    expect((await tokens.system.get(rotated.record.id))?.expiresAt?.toISOString()).toBe(end)
    now += 3 * 86_400_000
    expect(await tokens.verify(rotated.token)).toMatchObject({ ok: false, code: 'token_expired' })
  },
)

it('a holder cannot rotate a token once another record of its secret has ended', async () => {
  const shape = { prefix: 'sk_', length: 35 }
  const [hashed, plain] = [sha256Tokens({ ...shape, name: 'hashed' }), plainTokens({ ...shape, name: 'plain' })]
  const tokens = accepting([hashed, plain])
  const { token, row } = oldToken(1)
  await tokens.system.import([{ token }], { format: plain, map })
  await tokens.system.import([row], { format: hashed, map })
  const principal = await principalOf(tokens.verify(token))
  const holder = internalsOf(tokens).holderOf(principal)
  if (holder === undefined) throw new Error('has no holder')
  const { handle } = internalsOf(tokens).actAs(holderActor(holder))
  for (const { id, importedFrom } of (await tokens.system.list()).items) if (importedFrom === 'plain') await tokens.system.deactivate(id)
  await expect(handle.rotate(holder.tokenId)).rejects.toMatchObject({ code: 'conflict' })
})
