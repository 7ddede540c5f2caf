import type { Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { afterEach, expect, it, vi } from 'vitest'
import { instance, mint, refusal, type Scope } from '../latchkey/harness.js'

const EVE = { id: 'eve', tenants: '*', manages: 'all' } as const

afterEach(() => {
  vi.useRealTimers()
})

it.each([
  ['the application', undefined],
  ['an actor', EVE],
] as const)('all reads of one rotation by %s share one deadline', async (_who, actor) => {
  let slow = false
  const store = interceptStore(memoryStore(), async ({ method }, proceed) => {
    if (slow && method === 'find') await new Promise((resolve) => setTimeout(resolve, 1500))
    return await proceed()
  })
  const tokens = instance({ store, deadline: '2s', maxTokens: { perOwner: 50 } })
  const first = await mint(tokens, { tenantId: 't1', ownerId: 'o' })
  const { record } = await tokens.system.rotate(first.record.id, { overlap: '1d' })
  vi.useFakeTimers()
  slow = true
  const began = performance.now()
  const rotated = refusal((actor === undefined ? tokens.system : tokens.as(actor)).rotate(record.id, { overlap: '1h' }))
  const took = rotated.then(() => performance.now() - began)
  await vi.advanceTimersByTimeAsync(20_000)
  expect(await rotated).toBe('store_unavailable undefined')
  expect(await took).toBeLessThanOrEqual(2000)
})

it.each([
  ['find', (tokens: Latchkey<Scope>, id: string) => tokens.as(EVE).deactivate(id)],
  ['list', (tokens: Latchkey<Scope>) => tokens.as(EVE).list()],
  ['commit', (tokens: Latchkey<Scope>) => mint(tokens)],
] as const)('a hung %s is reported once, and the error names the method', async (method, call) => {
  const reported: string[] = []
  let hangs = false
  const store = interceptStore(memoryStore(), (made, proceed) =>
    hangs && made.method === method ? new Promise(() => undefined) : proceed(),
  )
  const tokens = instance({ store, deadline: '1s', onError: ({ error }) => reported.push(String(error)) })
  const { record } = await mint(tokens)
  vi.useFakeTimers()
  hangs = true
  const ended = call(tokens, record.id).catch(String)
  await vi.advanceTimersByTimeAsync(5000)
  expect(await ended).toContain(`${method}()`)
  expect(reported).toHaveLength(1)
})
