import { sha256Tokens } from 'latchkey/import'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, interceptStore } from 'latchkey/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { startUse } from '../../src/http/use.js'
import { deciderOf } from '../../src/instance.js'
import { codeOf, instance, mint, pause, principalOf, refusal, until, warm } from './harness.js'

const DAY_MS = 86_400_000

/** Lets fake time pass. Also lets work continue that gives way with a real timer. */
async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  await new Promise((resolve) => setImmediate(resolve))
}

describe('close', () => {
  it('a closed instance refuses every call', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    await warm(tokens, token)
    const principal = await principalOf(tokens.verify(token))
    await tokens.close()
    const { id } = record
    const calls = [
      tokens.verify(token),
      tokens.system.create({ name: 'x', scopes: [] }),
      tokens.system.get(id),
      tokens.system.list(),
      tokens.system.update(id, { name: 'y' }),
      tokens.system.activate(id),
      tokens.system.deactivate(id),
      tokens.system.rotate(id),
      tokens.system.revoke(id),
      tokens.system.revokeAll({ all: true }),
      tokens.system.events(),
      tokens.system.usage(id),
      tokens.system.prune({ before: 0 }),
      tokens.system.ownerChanged({ ownerId: 'u1' }),
      tokens.system.ownerGone({ ownerId: 'u1' }),
      tokens.system.erase({ ownerId: 'u1' }),
    ]
    expect(new Set(await Promise.all(calls.map(refusal)))).toEqual(new Set(['closed undefined']))
    expect(() => deciderOf(tokens).decide(token)).toThrow('closed')
    expect(() => deciderOf(tokens).countUse(principal, {})).not.toThrow()
    await tokens.close()
  })

  it('what was counted and recorded is written even if the clock throws', async () => {
    const store = memoryStore()
    let isBroken = false
    const clock = (): number => {
      if (isBroken) throw new Error('no clock')
      return Date.UTC(2030, 0, 1)
    }
    const tokens = instance({ store, clock })
    const other = instance({ store })
    const { token, record } = await mint(tokens)
    const stopped = await mint(tokens)
    await tokens.system.deactivate(stopped.record.id)
    const principal = await principalOf(tokens.verify(token))
    expect(await tokens.verify(stopped.token)).toMatchObject({ code: 'token_inactive' })
    isBroken = true
    // A request that is still being handled.
    startUse(deciderOf(tokens), principal, undefined)
    await tokens.close()
    expect(await other.system.usage(record.id, { from: Date.UTC(2029, 11, 31), to: Date.UTC(2030, 0, 2) })).toMatchObject({ total: 2 })
    expect((await other.system.events({ action: 'token.refused' })).items).toHaveLength(1)
  })

  it('close() ends work in progress, and nothing is written after it resolves', async () => {
    const store = memoryStore()
    const format = sha256Tokens({ prefix: 'sk_' })
    const tokens = instance({ store, imports: { key: 'an import key of at least thirty-two characters', formats: [format] } })
    let goOn = (): void => undefined
    const closed = new Promise<void>((resolve) => {
      goOn = resolve
    })
    let asked = 0
    async function* rows() {
      for (; asked < 400; asked += 1) {
        if (asked === 150) await closed
        yield { hash: String(asked).padStart(64, '0') }
      }
    }
    const importing = refusal(tokens.system.import(rows(), { format, map: () => ({ name: 'old', scopes: ['stock:read'] }) }))
    await until(() => asked === 150)
    await tokens.close()
    goOn()
    expect(await importing).toBe('closed undefined')
    expect(await store.list({ prefix: 'acme_test', now: 0, limit: 500 })).toHaveLength(100)
  })

  it('close() closes the store with the last instance that uses it', async () => {
    let closed = 0
    const store = {
      ...memoryStore(),
      close: () => {
        closed += 1
      },
    }
    const [a, b] = [instance({ store }), instance({ store, prefix: 'other' })]
    await a.close()
    await a.close()
    expect(closed).toBe(0)
    await b.close()
    expect(closed).toBe(1)
  })

  it('close() ends with store_unavailable when the store hangs', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, deadline: 0.15 })
    const { token } = await mint(tokens)
    await tokens.verify(token)
    store.behave({ recordUsage: { do: 'hang' }, changes: { do: 'hang' }, close: { do: 'hang' }, renewLease: { do: 'hang' } })
    expect(codeOf(await tokens.close().catch((error: unknown) => error))).toBe('store_unavailable')
  })

  it('close() ends the subscription to the store and fires the signals of principals', async () => {
    let wakes = 0
    const shared = memoryStore()
    const store = {
      ...shared,
      subscribe: (wake: () => void) => {
        wakes += 1
        const stop = shared.subscribe?.(wake)
        return async () => {
          wakes -= 1
          await (await stop)?.()
        }
      },
    }
    const tokens = instance({ store, usage: { flushEvery: 0.01 } })
    const { token } = await mint(tokens, { expiresIn: 60 })
    await warm(tokens, token)
    const { signal } = await principalOf(tokens.verify(token))
    await until(() => wakes === 1)
    await tokens.close()
    expect(wakes).toBe(0)
    expect(signal.aborted).toBe(true)
    await pause(20)
    expect(wakes).toBe(0)
  })

  it('close() takes at most one deadline after a call in progress when the store hangs', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, deadline: 1, usage: { flushEvery: 0.1 } })
    const { token, record } = await mint(tokens)
    await tokens.verify(token)
    await vi.advanceTimersByTimeAsync(300)
    await tokens.system.deactivate(record.id)
    await tokens.verify(token)
    store.behave({
      recordUsage: { do: 'hang' },
      commit: { do: 'hang' },
      changes: { do: 'hang' },
      renewLease: { do: 'hang' },
      close: { do: 'hang' },
    })
    await tokens.verify(token)
    await vi.advanceTimersByTimeAsync(500)
    // By now, a flush and a feed read may be in progress.
    const closed = tokens.close().then(
      () => 'closed',
      () => 'failed',
    )
    let outcome: string | undefined
    void closed.then((how) => {
      outcome = how
    })
    await vi.advanceTimersByTimeAsync(2001)
    expect(outcome).toBe('failed')
    expect(store.calls.some(({ method }) => method === 'close')).toBe(true)
  })

  it.each(['before', 'after'])('close() takes at most one deadline when the setup of the store hangs, %s the first use', async (when) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const store = faultyStore({ ...memoryStore(), migrate: () => new Promise<undefined>(() => undefined) })
    const tokens = instance({ store, deadline: 1, usage: { flushEvery: 0.1 } })
    // The event of a refused attempt is all that waits to be written.
    const member = tokens.as({ id: 'm', tenants: ['t'], manages: 'all', scopes: [] })
    await expect(member.create({ name: 'x', scopes: ['stock:read'], tenantId: 't' })).rejects.toThrow()
    const waiting = when === 'after' ? tokens.system.list().catch(codeOf) : undefined
    await vi.advanceTimersByTimeAsync(when === 'after' ? 300 : 0)
    let outcome: unknown
    tokens.close().then(
      () => {
        outcome = 'closed'
      },
      (error: unknown) => {
        outcome = codeOf(error)
      },
    )
    await vi.advanceTimersByTimeAsync(1_001)
    expect(outcome).toBe('store_unavailable')
    if (waiting !== undefined) expect(await waiting).toBe('store_unavailable')
  })

  it('close() takes at most one deadline after a call in progress when the store hangs during upkeep', { timeout: 120_000 }, async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const clock = { now: Date.UTC(2030, 0, 1) }
    let hangs = false
    let asked = 0
    const store = interceptStore(memoryStore(), ({ method, args }, proceed) => {
      // The upkeep asks for the notice of each unused token. The store answers once more.
      if (hangs && method === 'events' && (args[0] as { readonly tokenId?: string }).tokenId !== undefined) asked += 1
      return asked > 1 ? new Promise(() => undefined) : proceed()
    })
    const upkeep = { expiry: { unused: '180d' }, retention: { usage: false, addresses: false } } as const
    const tokens = instance({ store, deadline: 1, clock: () => clock.now, ...upkeep })
    await Promise.all(Array.from({ length: 100 }, (_, at) => tokens.system.create({ name: `n${at}`, scopes: ['stock:read'] })))
    clock.now += 181 * DAY_MS
    const told = async (): Promise<number> => (await tokens.system.events({ action: 'token.unused', limit: 1000 })).items.length
    for (let tries = 0; tries < 1_000 && (await told()) < 100; tries += 1) await pass(1_000)
    expect(await told()).toBe(100)
    clock.now += 40 * DAY_MS
    hangs = true
    for (let tries = 0; tries < 10_000 && asked < 2; tries += 1) await pass(10)
    expect(asked).toBe(2)
    let ended = false
    const end = (): void => {
      ended = true
    }
    tokens.close().then(end, end)
    await vi.advanceTimersByTimeAsync(2_001)
    expect(ended).toBe(true)
  })

  it('close() finishes writing counts to a slow store', async () => {
    const store = faultyStore(memoryStore(), { recordUsage: { do: 'delay', milliseconds: 20 } })
    const tokens = instance({ store: { ...store, usageRows: 1 }, deadline: 1, usage: { flushEvery: 60 } })
    for (let count = 0; count < 20; count += 1) await tokens.verify((await mint(tokens)).token)
    await tokens.close()
    expect(store.calls.filter(({ method }) => method === 'recordUsage')).toHaveLength(20)
  })
})
