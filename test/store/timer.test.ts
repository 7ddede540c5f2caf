import { AsyncLocalStorage } from 'node:async_hooks'
import { afterEach, expect, it, vi } from 'vitest'
import { memoryStore } from '../../adapters/stores/memory.js'
import { latchkey, type TokenStore } from '../../src/index.js'
import { Background } from '../../src/store/timer.js'

// Loads the modules that are otherwise loaded on first use, so fake timers do not have to wait for them.
await Promise.all([import('../../src/verbs/retain.js'), import('../../src/verbs/notify.js'), import('../../src/verbs/idle.js')])
await import('../../src/verbs/lib/seals.js')

const contexts = new AsyncLocalStorage<string>()

/** The store, and the async contexts in which each of its methods was called. */
const watched = (inner: TokenStore) => {
  const seen = new Map<string, Set<string | undefined>>()
  const store: TokenStore = new Proxy(inner, {
    get(target, method, receiver) {
      const value: unknown = Reflect.get(target, method, receiver)
      if (typeof value !== 'function') return value
      return (...args: readonly unknown[]) => {
        seen.set(String(method), (seen.get(String(method)) ?? new Set()).add(contexts.getStore()))
        return Reflect.apply(value, target, args)
      }
    },
  })
  return { store, in: (method: string): readonly unknown[] => [...(seen.get(method) ?? [])] }
}

afterEach(() => void vi.useRealTimers())

it('a timer runs in the async context in which its Background was created, not in that of the request that started the timer', async () => {
  const background = contexts.run('start-up', () => new Background())
  const seen = await contexts.run('request', () => new Promise((resolve) => background.timer(() => resolve(contexts.getStore()), 0)))
  expect(seen).toBe('start-up')
})

it("background work runs outside the request's async context, and the surrounding code keeps that context", () => {
  const background = new Background()
  contexts.run('request', () => {
    expect(background.run(() => contexts.getStore())).toBeUndefined()
    expect(contexts.getStore()).toBe('request')
  })
})

it('runs every timer of an instance in the async context that created the instance', async () => {
  vi.useFakeTimers()
  const { store, in: contextsOf } = watched(memoryStore())
  const tokens = contexts.run('start-up', () =>
    latchkey({
      prefix: 'acme_live',
      store,
      scopes: { 'a:read': 'Read' },
      sealing: { every: '10s' },
      notices: { unused: '1d' },
      logger: false,
    }),
  )
  const ended: unknown[] = []
  await contexts.run('request', async () => {
    const { token, record } = await tokens.system.create({ name: 'ERP', scopes: ['a:read'] })
    const verification = await tokens.verify(token)
    if (!verification.ok) throw new Error(verification.code)
    verification.principal.signal.addEventListener('abort', () => ended.push(contexts.getStore()))
    await vi.advanceTimersByTimeAsync(60_000)
    await contexts.run('another request', () => tokens.system.revoke(record.id))
    await vi.advanceTimersByTimeAsync(120_000)
  })
  const background = ['subscribe', 'changes', 'renewLease', 'recordUsage', 'consumers', 'saveConsumer', 'saveSeal', 'trimUsage']
  expect(Object.fromEntries(background.map((method) => [method, contextsOf(method)]))).toEqual(
    Object.fromEntries(background.map((method) => [method, ['start-up']])),
  )
  expect(contextsOf('commit')).toEqual(expect.arrayContaining(['request', 'another request']))
  expect(ended).toEqual(['start-up'])
  vi.useRealTimers()
  await tokens.close()
})
