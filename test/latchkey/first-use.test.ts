import { latchkey } from 'latchkey'
import { authenticate as onExpress, requireScopes } from 'latchkey/express'
import { authenticate as onHono } from 'latchkey/hono'
import { memoryStore } from 'latchkey/stores/memory'
import { afterEach, expect, it, vi } from 'vitest'

afterEach(() => vi.restoreAllMocks())

// Cloudflare Workers forbid all of these while a module is evaluated, which is when an application creates its instance.
it('creating an instance and its guards draws no random number, sets no timer and does not call the store', () => {
  const random = vi.spyOn(crypto, 'getRandomValues')
  const timers = [vi.spyOn(globalThis, 'setTimeout'), vi.spyOn(globalThis, 'setInterval')]
  const asked: PropertyKey[] = []
  const plain = memoryStore()
  const store = new Proxy(plain, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key)
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        asked.push(key)
        return Reflect.apply(value, target, given)
      }
    },
  })
  const tokens = latchkey({ prefix: 'acme', store, scopes: { 'a:b': 'x' }, pepper: 'a pepper of at least thirty-two characters' })
  onExpress(tokens)
  onHono(tokens)
  requireScopes('a:b')
  expect(random).not.toHaveBeenCalled()
  for (const timer of timers) expect(timer).not.toHaveBeenCalled()
  expect(asked).toEqual([])
})
