import { type FaultReport, latchkey } from 'latchkey'
import { postgresStore } from 'latchkey/stores/postgres'
import { afterEach, describe, expect, it } from 'vitest'
import { StoreProxy } from '../cluster/proxy.js'
import { Pair } from '../soak/pair.js'
import { replicationMissing } from '../support/postgres-server.js'

const skip = replicationMissing()

type Proxied = Awaited<ReturnType<typeof StoreProxy.before>>

describe.skipIf(skip)(`promotion of a synchronous standby ${skip ?? ''}`, () => {
  const cleanups: (() => unknown)[] = []

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })

  const start = async (): Promise<Pair> => {
    const pair = await Pair.start()
    cleanups.push(() => pair.dispose())
    return pair
  }

  const node = async (pair: Pair) => {
    const through: Proxied = await StoreProxy.before(pair.primary.url, 5432)
    const faults: FaultReport[] = []
    const store = postgresStore({ url: through.url, schema: pair.schema, poolSize: 4 })
    const tokens = latchkey({
      prefix: 'acme_test',
      store,
      scopes: { 'stock:read': 'See stock' },
      cache: { maxStaleness: '1s' },
      onError: (fault) => faults.push(fault),
      logger: false,
    })
    cleanups.push(async () => {
      await tokens.close().catch(() => undefined)
      await store.close()
      await through.proxy.close()
    })
    const code = async (text: string): Promise<string> => {
      try {
        const verified = await tokens.verify(text)
        return verified.ok ? 'ok' : verified.code
      } catch (error) {
        return String(Reflect.get(Object(error), 'code'))
      }
    }
    return { tokens, faults, code, proxy: through.proxy, create: () => tokens.system.create({ name: 'ERP', scopes: ['stock:read'] }) }
  }

  it('loses no acknowledged change and refuses no valid token when a synchronous standby is promoted', async () => {
    const pair = await start()
    const nodes = await Promise.all([node(pair), node(pair), node(pair)])
    const made: { readonly id: string; readonly token: string }[] = []
    const ended = new Set<string>()
    const ending = new Set<string>()
    const refused: string[] = []
    let running = true
    const change = async (at: number): Promise<void> => {
      while (running) {
        const one = nodes[at % nodes.length]
        if (one === undefined) return
        try {
          const { token, record } = await one.create()
          made.push({ id: record.id, token })
          if (made.length % 2 === 0) {
            ending.add(record.id)
            await one.tokens.system.revoke(record.id)
            ended.add(record.id)
          }
        } catch {
          // A change that got no response may still have been made.
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
      }
    }
    const verify = async (one: (typeof nodes)[number]): Promise<void> => {
      while (running) {
        const good = made.filter(({ id }) => !ending.has(id)).slice(-30)
        for (const { id, token } of good) {
          const code = await one.code(token)
          if (!['ok', 'store_unavailable'].includes(code) && !ending.has(id)) refused.push(code)
        }
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    const load = Promise.all([...[0, 1, 2, 0, 1, 2].map(change), ...nodes.map(verify)])
    await expect.poll(() => ended.size, { timeout: 30_000 }).toBeGreaterThan(10)
    await pair.failOver()
    for (const { proxy } of nodes) proxy.aim(pair.primary.port)
    const after = ended.size
    await expect.poll(() => ended.size, { timeout: 30_000 }).toBeGreaterThan(after + 10)
    running = false
    await load
    expect(refused).toEqual([])
    const fresh = await node(pair)
    for (const { id, token } of made) {
      if (!ending.has(id)) expect(await fresh.code(token)).toBe('ok')
      if (ended.has(id)) expect(await fresh.code(token)).toBe('token_revoked')
    }
    const [row] = await pair.query(`select count(*)::int as tokens, count(revoked_at)::int as ended,
      (select count(*)::int from latchkey_events where action = 'token.created') as created,
      (select count(*)::int from latchkey_events where action = 'token.revoked') as revoked from latchkey_tokens`)
    expect([row?.created, row?.revoked]).toEqual([row?.tokens, row?.ended])
    expect(Number(row?.tokens)).toBeGreaterThanOrEqual(made.length)
  }, 120_000)

  it('keeps the caches of nodes if the promoted standby has everything that they read', async () => {
    const pair = await start()
    const [here, there] = [await node(pair), await node(pair)]
    const { token } = await here.create()
    expect(await here.code(token)).toBe('ok')
    const store = postgresStore({ url: pair.primary.url, schema: pair.schema, poolSize: 1 })
    const { cursor } = await store.changes(undefined, 1)
    await store.close()
    await pair.failOver()
    for (const { proxy } of [here, there]) proxy.aim(pair.primary.port)
    await expect
      .poll(
        () =>
          there.create().then(
            () => 'made',
            () => 'not yet',
          ),
        { timeout: 120_000 },
      )
      .toBe('made')
    const promoted = postgresStore({ url: pair.primary.url, schema: pair.schema, poolSize: 1 })
    cleanups.push(() => promoted.close())
    expect(await promoted.changes(cursor, 100)).toMatchObject({ everything: false })
    expect(await promoted.changes(undefined, 1)).not.toMatchObject({ cursor })
  }, 120_000)

  it('accepts nothing from an old primary that comes back, once a node has learned of its successor', async () => {
    const pair = await start()
    const [here, there] = [await node(pair), await node(pair)]
    const [kept, doomed] = [await there.create(), await there.create()]
    for (const { token } of [kept, doomed]) expect(await here.code(token)).toBe('ok')
    // The node learns which run follows, as it does with the first change after a server starts.
    await pair.failOver()
    for (const { proxy } of [here, there]) proxy.aim(pair.primary.port)
    const revoked = () =>
      there.tokens.system.revoke(doomed.record.id).then(
        () => 'revoked',
        () => 'not yet',
      )
    await expect.poll(revoked, { timeout: 20_000 }).toBe('revoked')
    await expect.poll(() => here.code(doomed.token)).toBe('token_revoked')
    const old = pair.replaced
    if (old === undefined) throw new Error('nothing was replaced')
    await old.start()
    here.proxy.aim(old.port)
    const seen = new Set<string>()
    for (let turn = 0; turn < 100; turn += 1) {
      seen.add(await here.code(doomed.token))
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
    expect(seen.has('ok')).toBe(false)
    expect(await here.code(doomed.token)).toBe('store_unavailable')
    // The old primary waits for a standby that no longer follows it, so it acknowledges nothing.
    const alone = await StoreProxy.before(old.url, 5432)
    cleanups.push(() => alone.proxy.close())
    const stale = postgresStore({ url: alone.url, schema: pair.schema, poolSize: 1 })
    const outcome = stale.renewLease({ nodeId: 'n', cursor: '', expiresAt: 1 })
    const first = await Promise.race([
      Promise.resolve(outcome).then(
        () => 'acknowledged',
        () => 'refused',
      ),
      new Promise((resolve) => setTimeout(resolve, 2_000, 'waits')),
    ])
    expect(first).toBe('waits')
    await old.kill()
    await Promise.resolve(stale.close()).catch(() => undefined)
    here.proxy.aim(pair.primary.port)
    await expect.poll(() => here.code(kept.token), { timeout: 20_000 }).toBe('ok')
    expect(await here.code(doomed.token)).toBe('token_revoked')
    expect(here.faults.some(({ error }) => error.message.includes('another server replaced this server'))).toBe(true)
  }, 120_000)
})
