import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { deciderOf } from '../../src/instance.js'
import type { UsageBatch } from '../../src/model/usage.js'
import { createDigesters } from '../../src/token/digest.js'
import { mintToken } from '../../src/token/generate.js'
import { platformRandom } from '../../src/token/random.js'
import { instance, mint, pause, principalOf, verdict, warm } from '../latchkey/harness.js'

const [digester] = createDigesters([])

const GET = { method: 'GET', endpoint: '/stock/:id', ip: '10.0.0.1' }

describe('usage', () => {
  it('counts every use when many tokens are used concurrently on several instances', async () => {
    const store = memoryStore()
    const nodes = [instance({ store }), instance({ store }), instance({ store })]
    const made = await Promise.all(Array.from({ length: 10 }, () => mint(nodes[0] as (typeof nodes)[0])))
    await Promise.all(
      nodes.flatMap((node) =>
        made.flatMap(({ token }, n) =>
          Array.from({ length: 100 + n }, async (_, use) => {
            if (use % 40 === 0) await pause(use % 7)
            await node.verify(token, { ...GET, endpoint: `/e${use % 3}` })
          }),
        ),
      ),
    )
    await Promise.all(nodes.slice(1).map((node) => node.close()))
    for (const [n, { record }] of made.entries()) {
      const report = await nodes[0]?.system.usage(record.id)
      expect(report?.total).toBe(3 * (100 + n))
      expect(report?.addresses).toMatchObject([{ ip: '10.0.0.1', count: 3 * (100 + n) }])
      expect(report?.endpoints.map(({ endpoint }) => endpoint).sort()).toEqual(['GET /e0', 'GET /e1', 'GET /e2'])
    }
  })

  it('writes all pending usage on close', async () => {
    const store = memoryStore()
    const tokens = instance({ store, usage: { flushEvery: 60 } })
    const other = instance({ store })
    const { token, record } = await mint(tokens)
    for (let use = 0; use < 1234; use += 1) await tokens.verify(token, GET)
    expect((await other.system.usage(record.id)).total).toBe(0)
    await tokens.close()
    expect(await other.system.usage(record.id)).toMatchObject({ total: 1234, lastUsedIp: '10.0.0.1' })
  })

  it('counts a use at the time at which the token was last accepted, even if its response ends hours later', async () => {
    const ten = Date.UTC(2026, 10, 30, 10)
    let now = ten - 1
    const tokens = instance({ clock: () => now, usage: { flushEvery: 60 } })
    const { token, record } = await mint(tokens)
    await warm(tokens, token)
    const principal = await principalOf(deciderOf(tokens).decide(token, GET))
    now = ten + 7_200_000
    deciderOf(tokens).countUse(principal, { endpoint: 'GET /late' })
    await tokens.flush()
    const late = await tokens.system.usage(record.id)
    expect(late.endpoints).toContainEqual(expect.objectContaining({ endpoint: 'GET /late', count: 1 }))
    expect(late.buckets.map(({ at }) => Number(at))).toEqual([ten - 3_600_000])
  })

  it('writes usage without an explicit flush', async () => {
    const store = memoryStore()
    const tokens = instance({ store, usage: { flushEvery: 0.02 } })
    const other = instance({ store })
    const { token, record } = await mint(tokens)
    await tokens.verify(token, GET)
    for (let tries = 0; tries < 200 && (await other.system.usage(record.id)).total === 0; tries += 1) await pause(5)
    expect((await other.system.usage(record.id)).total).toBe(1)
  })

  for (const [what, fault] of Object.entries({
    'is lost in transit': { do: 'fail', error: new Error('reset') },
    'is written but its response is lost': { do: 'fail-after', error: new Error('reset') },
    'is written but gets no response': { do: 'lose-answer' },
    'is written twice': { do: 'duplicate' },
    'never arrives': { do: 'hang' },
  } as const)) {
    it(`counts usage once when a batch ${what}`, async () => {
      const shared = memoryStore()
      const store = faultyStore(shared)
      const tokens = instance({ store, usage: { flushEvery: 0.02 }, deadline: 0.15 })
      const { token, record } = await mint(tokens)
      store.behave(({ method, number }) => (method === 'recordUsage' && number % 3 !== 0 ? fault : undefined))
      for (let use = 0; use < 200; use += 1) {
        await tokens.verify(token, GET)
        if (use % 20 === 0) await pause(20)
      }
      store.behave()
      await tokens.close()
      const report = await instance({ store: shared }).system.usage(record.id)
      expect(report.total).toBe(200)
      expect(report.addresses).toMatchObject([{ count: 200 }])
    })
  }

  it('adds uses that occur during a flush to the next batch', async () => {
    const shared = memoryStore()
    const batches: UsageBatch[] = []
    const store = faultyStore(shared, ({ method, args }) => {
      if (method === 'recordUsage') batches.push(args[0] as UsageBatch)
      return method === 'recordUsage' ? { do: 'delay', milliseconds: 30 } : undefined
    })
    const tokens = instance({ store, usage: { flushEvery: 0.01 } })
    const { token, record } = await mint(tokens)
    for (let use = 0; use < 100; use += 1) {
      await tokens.verify(token, GET)
      await pause(1)
    }
    await tokens.close()
    expect((await instance({ store: shared }).system.usage(record.id)).total).toBe(100)
    expect(batches.map(({ seq }) => seq)).toEqual(batches.map((_, at) => at + 1))
    expect(new Set(batches.map(({ nodeId }) => nodeId)).size).toBe(1)
  })

  it('requests succeed while the store hangs on usage', async () => {
    const store = faultyStore(memoryStore(), { recordUsage: { do: 'hang' } })
    const tokens = instance({ store, usage: { flushEvery: 0.01 }, deadline: 0.15 })
    const { token } = await mint(tokens)
    await warm(tokens, token)
    for (let use = 0; use < 200; use += 1) {
      const odd = { ip: use as unknown as string, endpoint: { use } as unknown as string, method: null as unknown as string }
      expect(await verdict(tokens.verify(token, odd))).toBe('ok')
      expect(deciderOf(tokens).decide(token, GET)).toMatchObject({ ok: true })
      if (use % 50 === 0) await pause(10)
    }
  })

  it('stores usage separately by required scope, and reports the combined counts', async () => {
    const store = memoryStore()
    const tokens = instance({ store })
    const { token, record } = await mint(tokens)
    const principal = await principalOf(deciderOf(tokens).decide(token))
    for (const scope of ['stock:read', 'stock:read', 'stock:write', undefined]) {
      deciderOf(tokens).countUse(principal, { endpoint: 'GET /stock', ...(scope !== undefined && { scope }) })
    }
    const report = await tokens.system.usage(record.id)
    expect(report.buckets).toMatchObject([{ endpoint: 'GET /stock', outcome: 'allowed', count: 4 }])
    const { counts } = await store.usage({ tokenIds: [record.id] })
    expect(counts.map(({ scope, count }) => [scope, count])).toEqual([
      ['', 1],
      ['stock:read', 2],
      ['stock:write', 1],
    ])
  })

  it("uses with a wrong secret record no address, so they cannot displace the holder's addresses", async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const forged = mintToken('acme_test', record.id, digester, platformRandom).token
    for (let use = 0; use < 300; use += 1) {
      expect(await verdict(tokens.verify(forged, { ...GET, ip: `10.1.${use >> 8}.${use & 255}` }))).toBe('secret_mismatch')
    }
    for (let use = 0; use < 40; use += 1) await tokens.verify(token, { ...GET, ip: `10.0.0.${use}` })
    const report = await tokens.system.usage(record.id)
    expect(report).toMatchObject({
      total: 40,
      refused: 300,
      outcomes: [
        { outcome: 'secret_mismatch', count: 300 },
        { outcome: 'allowed', count: 40 },
      ],
    })
    expect(report.addresses.map(({ ip }) => ip).sort()).toEqual(Array.from({ length: 40 }, (_, use) => `10.0.0.${use}`).sort())
  })

  it('uses with a wrong secret record no endpoint, so they displace no recorded endpoint and the report stays readable', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const forged = mintToken('acme_test', record.id, digester, platformRandom).token
    for (let use = 0; use < 300; use += 1) await verdict(tokens.verify(forged, { ...GET, endpoint: `/forged/${use}` }))
    for (let use = 0; use < 256; use += 1) await tokens.verify(token, { ...GET, endpoint: `/e${use}` })
    await verdict(tokens.verify(forged, GET))
    const report = await tokens.system.usage(record.id)
    expect(report).toMatchObject({
      total: 256,
      refused: 301,
      outcomes: [{ outcome: 'secret_mismatch', count: 301 }, { outcome: 'allowed' }],
    })
    const own = Array.from({ length: 256 }, (_, use) => `GET /e${use}`)
    expect(report.endpoints.map(({ endpoint }) => endpoint).sort()).toEqual(['', ...own].sort())
  })

  it('only a limited number of endpoints and addresses is recorded per token, and the rest are counted together', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    for (let use = 0; use < 2000; use += 1) await tokens.verify(token, { endpoint: `/e${use}`, ip: `10.0.${use >> 8}.${use & 255}` })
    const report = await tokens.system.usage(record.id)
    expect(report.total).toBe(2000)
    expect(report.endpoints.length).toBeLessThanOrEqual(257)
    expect(report.endpoints.find(({ endpoint }) => endpoint === '(other)')?.count).toBeGreaterThan(1700)
    expect(report.addresses.length).toBeLessThanOrEqual(65)
    expect(report.addresses.reduce((sum, { count }) => sum + count, 0)).toBe(2000)
  })

  it('stores no token text from an endpoint or a method, whole or truncated', async () => {
    const store = memoryStore()
    const tokens = instance({ store })
    const { token, record } = await mint(tokens)
    for (const endpoint of [`/hooks/${token}`, `/${'x'.repeat(150)}/${token}`, `/feed?access_token=${token}`, encodeURIComponent(token)]) {
      await tokens.verify(token, { method: 'GET', endpoint })
    }
    await tokens.verify(token, { method: token, endpoint: '/' })
    await tokens.flush()
    const { counts } = await store.usage({ tokenIds: [record.id] })
    expect(counts).toHaveLength(5)
    for (let at = 0; at + 12 <= token.length; at += 1) {
      const part = token.slice(at, at + 12)
      if (!record.hint.includes(part)) expect(JSON.stringify(counts.map(({ endpoint }) => endpoint))).not.toContain(part)
    }
  })

  it('records usage even if an endpoint or address contains characters that a database would refuse', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const lone = '\ud800'
    for (const endpoint of ['/a\u0000b', `/${lone}`, `${'x'.repeat(199)}😀`, '/c\u001b[0m']) {
      await tokens.verify(token, { endpoint, ip: 'junk\u0000' })
    }
    const report = await tokens.system.usage(record.id)
    expect(report.total).toBe(4)
    expect(JSON.stringify(report.endpoints)).not.toMatch(/\\u0000|\\u001b|\\ud8/)
    for (const { endpoint } of report.endpoints) expect(endpoint).not.toMatch(/\p{Surrogate}/u)
    expect(report.addresses).toEqual([])
    expect(report.lastUsedIp).toBeUndefined()
  })

  it('records different spellings of an IP address as the same address', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    for (const ip of ['10.0.0.1', '::ffff:10.0.0.1', '::FFFF:10.0.0.1', '10.0.0.1']) await tokens.verify(token, { ip })
    expect(await tokens.system.usage(record.id)).toMatchObject({ lastUsedIp: '10.0.0.1', addresses: [{ ip: '10.0.0.1', count: 4 }] })
  })

  it('usage reports list refused and allowed uses separately, and each hour separately', async () => {
    let now = Date.UTC(2030, 0, 1, 10, 59, 59, 999)
    const tokens = instance({ clock: () => now })
    const { token, record } = await mint(tokens, { allowedIps: ['10.0.0.1'] })
    await tokens.verify(token, GET)
    await tokens.verify(token, { ...GET, ip: '10.0.0.2' })
    now += 1
    const principal = await principalOf(deciderOf(tokens).decide(token, GET))
    deciderOf(tokens).countUse(principal, { endpoint: 'GET /stock/:id', ip: '10.0.0.1', outcome: 'scope_insufficient' })
    deciderOf(tokens).countUse({ ...principal, allows: () => true, signal: principal.signal }, { endpoint: 'GET /other' })
    await tokens.system.revoke(record.id)
    await tokens.verify(token, GET)
    const report = await tokens.system.usage(record.id)
    const [ten, eleven] = [new Date('2030-01-01T10:00:00Z'), new Date('2030-01-01T11:00:00Z')]
    const endpoint = 'GET /stock/:id'
    expect(report.buckets).toEqual([
      { at: ten, endpoint, outcome: 'allowed', count: 1 },
      { at: ten, endpoint, outcome: 'ip_denied', count: 1 },
      { at: eleven, endpoint, outcome: 'scope_insufficient', count: 1 },
      { at: eleven, endpoint, outcome: 'token_revoked', count: 1 },
    ])
    expect(report).toMatchObject({ total: 1, refused: 3 })
    expect((await tokens.system.usage(record.id, { from: eleven })).refused).toBe(2)
    expect((await tokens.system.usage(record.id, { to: eleven })).total).toBe(1)
  })

  it('a record shows the last use even before that use is written, and never an older use', async () => {
    let now = Date.now()
    const store = faultyStore(memoryStore(), { recordUsage: { do: 'fail', error: new Error('down') } })
    const tokens = instance({ store, clock: () => now, usage: { flushEvery: 0.01 } })
    const { token, record } = await mint(tokens)
    expect((await tokens.system.get(record.id))?.lastUsedAt).toBeUndefined()
    await tokens.verify(token, GET)
    await pause(30)
    now += 5000
    await tokens.verify(token, { ip: '10.0.0.9' })
    expect(await tokens.system.get(record.id)).toMatchObject({ lastUsedAt: new Date(now), lastUsedIp: '10.0.0.9' })
    expect((await tokens.system.list()).items).toMatchObject([{ lastUsedAt: new Date(now) }])
    store.behave()
  })

  it('does not report the scope for rotating itself as unused, because a token that has been rotated no longer counts', async () => {
    const tokens = instance({ scopes: { 'stock:read': '', 'tokens:rotate-self': '' } } as never)
    const { record } = await tokens.system.create({ name: 'ERP', scopes: ['stock:read', 'tokens:rotate-self'] as never[] })
    expect(await tokens.system.usage(record.id)).toMatchObject({ unusedScopes: ['stock:read'] })
  })

  it('reports which scopes routes required, and which scopes of the token no route required', async () => {
    const tokens = instance({
      scopes: { 'stock:read': '', 'stock:write': '', 'stock:admin': '', 'orders:read': '', 'orders:write': '' },
      groups: { orders: ['orders:read', 'orders:write'] },
      implies: { 'stock:admin': ['stock:write'] },
    } as never)
    const scopes = ['stock:read', 'stock:admin', 'orders:write', '@orders'] as never[]
    const { token, record } = await tokens.system.create({ name: 'ERP', scopes })
    const principal = await principalOf(deciderOf(tokens).decide(token))
    const count = (scope: string, outcome: 'allowed' | 'rate_limited' = 'allowed'): void =>
      deciderOf(tokens).countUse(principal, { endpoint: 'GET /stock', scope, outcome })
    expect(await tokens.system.usage(record.id)).toMatchObject({ scopes: [], unusedScopes: scopes })
    count('stock:write orders:read')
    count('stock:write')
    count('stock:read', 'rate_limited')
    expect(await tokens.system.usage(record.id)).toMatchObject({
      scopes: [
        { scope: 'stock:write', count: 2 },
        { scope: 'orders:read', count: 1 },
      ],
      // `stock:admin` granted `stock:write`, and the group granted `orders:read`.
      unusedScopes: ['stock:read', 'orders:write'],
    })
    count('x'.repeat(300))
    expect((await tokens.system.usage(record.id)).unusedScopes).toBeUndefined()
  })

  it('counts no uses when usage counting is off', async () => {
    const tokens = instance({ usage: false })
    const { token, record } = await mint(tokens)
    expect(await verdict(tokens.verify(token, GET))).toBe('ok')
    expect(await tokens.system.usage(record.id)).toMatchObject({ total: 0 })
  })
})
