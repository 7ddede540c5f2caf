import { setTimeout as sleep } from 'node:timers/promises'
import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { until } from '../latchkey/harness.js'

const MADE = { name: 'x', tenantId: 'acme', scopes: ['stock:read'] } as const
const UNREADABLE = {
  hangs: () => new Promise<never>(() => undefined),
  fails: () => Promise.reject(new Error('ECONNREFUSED')),
}

/** Two nodes. The second one follows the feed, but while it is `cut`, it cannot read a token. */
function nodes(fault: () => Promise<never>, cache: false | { readonly maxStaleness: number } = { maxStaleness: 1 }) {
  const store = memoryStore()
  const state = { cut: false }
  const cut = new Proxy(store, {
    get: (target, key, receiver) =>
      key === 'find'
        ? (...args: Parameters<typeof store.find>) => (state.cut ? fault() : store.find(...args))
        : Reflect.get(target, key, receiver),
  })
  const make = (own: typeof store) =>
    latchkey({
      prefix: 'acme_live',
      store: own,
      scopes: { 'stock:read': 'x' },
      cache,
      deadline: 0.3,
      logger: false,
    } as never)
  return { a: make(store), b: make(cut), state }
}

async function signalOf(tokens: ReturnType<typeof nodes>['b'], token: string): Promise<AbortSignal> {
  const result = await tokens.verify(token)
  if (!result.ok) throw new Error(result.code)
  const { signal } = result.principal
  signal.addEventListener('abort', () => undefined)
  held.add(result.principal)
  return signal
}
const held = new Set<unknown>()

describe.each(Object.entries(UNREADABLE))('a token of a node whose store %s for reads, while its feed works', (_, fault) => {
  it.each(['revoke', 'revokeAll', 'edit'] as const)('loses its signal within the bound after %s on another node', async (change) => {
    const { a, b, state } = nodes(fault)
    const { token, record } = await a.system.create(MADE)
    const signal = await signalOf(b, token)
    await sleep(300)
    state.cut = true
    if (change === 'revoke') await a.system.revoke(record.id)
    else if (change === 'revokeAll') await a.system.revokeAll({ tenantId: 'acme' })
    else await a.system.update(record.id, { name: 'y' })
    await until(() => signal.aborted)
    expect(signal.reason).toMatchObject({ code: 'store_unavailable' })
    await expect(b.verify(token)).rejects.toMatchObject({ code: 'store_unavailable' })
    await Promise.all([a.close(), b.close()])
  })

  it('keeps its signal if only other tokens changed, and loses it once it is revoked and can be read', async () => {
    const { a, b, state } = nodes(fault)
    const { token, record } = await a.system.create(MADE)
    const other = await a.system.create({ ...MADE, tenantId: 'other' })
    const signal = await signalOf(b, token)
    await sleep(300)
    state.cut = true
    await a.system.revoke(other.record.id)
    await a.system.revokeAll({ tenantId: 'other' })
    await sleep(1500)
    expect(signal.aborted).toBe(false)
    expect(await b.verify(token)).toMatchObject({ ok: true })
    state.cut = false
    await a.system.revoke(record.id)
    await until(() => signal.aborted)
    expect(signal.reason).toMatchObject({ code: 'token_revoked' })
    await Promise.all([a.close(), b.close()])
  })

  it.each([{ maxStaleness: 4 }, false] as const)('keeps its signal if the change can be read soon, with cache: %j', async (cache) => {
    const { a, b, state } = nodes(fault, cache)
    const { token, record } = await a.system.create(MADE)
    const signal = await signalOf(b, token)
    await sleep(300)
    state.cut = true
    await a.system.update(record.id, { name: 'y' })
    await sleep(400)
    state.cut = false
    await sleep(3500)
    expect(signal.aborted).toBe(false)
    expect(await b.verify(token)).toMatchObject({ ok: true })
    await Promise.all([a.close(), b.close()])
  })
})
