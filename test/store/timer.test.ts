import { AsyncLocalStorage } from 'node:async_hooks'
import { expect, it } from 'vitest'
import { memoryStore } from '../../adapters/stores/memory.js'
import { latchkey, type TokenStore } from '../../src/index.js'
import { runApart, startTimer } from '../../src/store/timer.js'

const requests = new AsyncLocalStorage<string>()

it('a timer does not run in the async context of the request that started it', async () => {
  const seen = await requests.run('request 1', () => new Promise((resolve) => startTimer(() => resolve(requests.getStore()), 0)))
  expect(seen).toBeUndefined()
})

it('work that belongs to no request sees no request, and leaves the one around it alone', () => {
  requests.run('request 1', () => {
    expect(runApart(() => requests.getStore())).toBeUndefined()
    expect(requests.getStore()).toBe('request 1')
  })
})

it('the store is read for the cluster and written for usage outside of the request that came first', async () => {
  const background = new Map<string, Set<string | undefined>>()
  const memory = memoryStore()
  const watched: TokenStore = new Proxy(memory, {
    get(target, method, receiver) {
      const value: unknown = Reflect.get(target, method, receiver)
      if (typeof value !== 'function') return value
      return (...args: readonly unknown[]) => {
        const contexts = background.get(String(method)) ?? new Set()
        background.set(String(method), contexts.add(requests.getStore()))
        return Reflect.apply(value, target, args)
      }
    },
  })
  const tokens = latchkey({ prefix: 'acme_live', store: watched, scopes: { 'a:read': 'Read' }, usage: { flushEvery: 1 } })
  await requests.run('request 1', async () => {
    const { token } = await tokens.system.create({ name: 'ERP', scopes: ['a:read'] })
    expect(await tokens.verify(token)).toMatchObject({ ok: true })
  })
  await expect.poll(() => background.get('recordUsage')).toBeDefined()
  expect([...(background.get('recordUsage') ?? [])]).toEqual([undefined])
  expect([...(background.get('changes') ?? [])]).toEqual([undefined])
  await tokens.close()
})
