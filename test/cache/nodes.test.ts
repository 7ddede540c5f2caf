import type { Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore, interceptStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/store/port.js'
import { instance, mint, pause, type Scope, until, verdict, warm } from '../latchkey/harness.js'

/** A store that never wakes a node. */
function deaf(store: TokenStore): TokenStore {
  const { subscribe: _, ...rest } = store
  return rest
}

async function pair(
  near: (store: TokenStore) => TokenStore,
  maxStaleness = 0.2,
): Promise<{ here: Latchkey<Scope>; there: Latchkey<Scope> }> {
  const shared = memoryStore()
  const here = instance({ store: near(shared), cache: { maxStaleness }, deadline: 0.1 })
  const there = instance({ store: shared })
  return { here, there }
}

const CHANGES: { readonly [verb: string]: (tokens: Latchkey<Scope>, id: string) => Promise<unknown> } = {
  revoke: (tokens, id) => tokens.system.revoke(id),
  deactivate: (tokens, id) => tokens.system.deactivate(id),
  revokeAll: (tokens) => tokens.system.revokeAll({ all: true }),
  rotate: (tokens, id) => tokens.system.rotate(id),
}

describe('a change on another node', () => {
  for (const [verb, change] of Object.entries(CHANGES)) {
    it(`applies a change on another node as soon as this node is woken: ${verb}`, async () => {
      // The feed's polling interval is far longer than this test.
      const { here, there } = await pair((store) => store, 60)
      const { token, record } = await mint(there)
      await warm(here, token)
      await change(there, record.id)
      await until(async () => (await verdict(here.verify(token))) !== 'ok')
    })

    it(`applies a change on another node within the bound if wake-ups are lost: ${verb}`, async () => {
      const { here, there } = await pair(deaf)
      const { token, record } = await mint(there)
      await warm(here, token)
      await change(there, record.id)
      const bound = performance.now() + 200
      let began = performance.now()
      while (began < bound + 300) {
        const answer = await verdict(here.verify(token))
        if (began >= bound) expect(answer).not.toBe('ok')
        if (answer !== 'ok') break
        await pause(2)
        began = performance.now()
      }
      expect(await verdict(here.verify(token))).not.toBe('ok')
    })
  }

  it('accepts a token on this node once another node has activated it', async () => {
    const { here, there } = await pair((store) => store, 60)
    const { token, record } = await mint(there)
    await there.system.deactivate(record.id)
    expect(await verdict(here.verify(token))).toBe('token_inactive')
    await there.system.activate(record.id)
    await until(async () => (await verdict(here.verify(token))) === 'ok')
  })
})

describe('a feed that cannot be read', () => {
  for (const [how, fault] of Object.entries({
    hangs: { do: 'hang' } as const,
    fails: { do: 'fail', error: new Error('down') } as const,
    'throws immediately': { do: 'fail', error: undefined, how: 'throw' } as const,
    'returns nonsense': { do: 'answer', value: { cursor: 5 } } as const,
    'returns an invalid page': {
      do: 'answer',
      value: { cursor: 'x', ids: [], owners: [], bulk: [], everything: false, more: 'yes' },
    } as const,
  })) {
    it(`sends every verification to the store once the bound has passed if the feed ${how}`, async () => {
      const store = faultyStore(memoryStore())
      const here = instance({ store, cache: { maxStaleness: 0.1 }, deadline: 0.1 })
      const { token, record } = await mint(here)
      await warm(here, token)
      store.behave({ changes: fault })
      await pause(120)
      const finds = () => store.calls.filter(({ method }) => method === 'find').length
      const before = finds()
      expect(await verdict(here.verify(token))).toBe('ok')
      expect(await verdict(here.verify(token))).toBe('ok')
      expect(finds() - before).toBe(2)
      await here.system.revoke(record.id)
      expect(await verdict(here.verify(token))).toBe('token_revoked')
    })
  }

  it('serves tokens from the cache again once the feed responds again', async () => {
    const store = faultyStore(memoryStore())
    const here = instance({ store, cache: { maxStaleness: 0.1 }, deadline: 0.1 })
    const { token } = await mint(here)
    await warm(here, token)
    store.behave({ changes: { do: 'fail', error: null } })
    await pause(150)
    store.behave()
    await warm(here, token)
  })

  it('does not block the process if the feed repeats the same position forever', async () => {
    const shared = memoryStore()
    const store = interceptStore(shared, ({ method, args }, proceed) =>
      method === 'changes' && args[0] !== undefined
        ? { cursor: args[0], ids: [], owners: [], bulk: [], everything: false, more: true }
        : proceed(),
    )
    const here = instance({ store })
    const { token } = await mint(here)
    expect(await verdict(here.verify(token))).toBe('ok')
    await pause(5)
    expect(await verdict(here.verify(token))).toBe('ok')
  })

  it('does not trust the cache until the feed has been read to its end', async () => {
    const shared = memoryStore()
    let pages = Number.POSITIVE_INFINITY
    const store = interceptStore(deaf(shared), ({ method, args }, proceed) => {
      if (method !== 'changes') return proceed()
      pages -= 1
      if (pages < 0) throw new Error('cut')
      return shared.changes(args[0] as string | undefined, 1)
    })
    const here = instance({ store, cache: { maxStaleness: 0.4 } })
    const there = instance({ store: shared })
    const { token, record } = await mint(there)
    await warm(here, token)
    pages = 0
    await mint(there)
    await mint(there)
    await there.system.revoke(record.id)
    await pause(450)
    pages = 1
    await until(() => pages < 0)
    expect(await verdict(here.verify(token))).toBe('token_revoked')
  })

  it('empties the cache if the history of the feed is gone', async () => {
    const shared = memoryStore()
    let trimmed = false
    const store = interceptStore(deaf(shared), ({ method }, proceed) => {
      const answer = proceed()
      return trimmed && method === 'changes' ? { ...(answer as object), ids: [], owners: [], bulk: [], everything: true } : answer
    })
    const here = instance({ store, cache: { maxStaleness: 0.4 } })
    const there = instance({ store: shared })
    const { token, record } = await mint(there)
    await warm(here, token)
    trimmed = true
    await there.system.revoke(record.id)
    await until(async () => (await verdict(here.verify(token))) === 'token_revoked')
  })
})

describe('a wake-up channel', () => {
  for (const [how, fault] of Object.entries({
    'never opens': { do: 'hang' } as const,
    fails: { do: 'fail', error: 'route' } as const,
    'throws immediately': { do: 'fail', error: new Error('no'), how: 'throw' } as const,
    'returns nothing': { do: 'drop' } as const,
  })) {
    it(`applies a revocation within the bound even if the wake-up channel ${how}`, async () => {
      const shared = memoryStore()
      const here = instance({ store: faultyStore(shared, { subscribe: fault }), cache: { maxStaleness: 0.2 }, deadline: 30 })
      const there = instance({ store: shared })
      const { token, record } = await mint(there)
      await warm(here, token)
      await there.system.revoke(record.id)
      await pause(250)
      expect(await verdict(here.verify(token))).toBe('token_revoked')
    })
  }

  it('immediately closes a wake-up channel that opens after the instance is closed', async () => {
    let open: (stop: () => void) => void = () => undefined
    let stopped = 0
    const store = interceptStore(memoryStore(), ({ method }, proceed) =>
      method === 'subscribe'
        ? new Promise((resolve) => {
            open = resolve
          })
        : proceed(),
    )
    const tokens = instance({ store })
    await tokens.verify((await mint(tokens)).token)
    await tokens.close()
    open(() => {
      stopped += 1
    })
    await until(() => stopped === 1)
  })
})

describe('an outage of the feed and the store', () => {
  const gone = { changes: { do: 'fail', error: new Error('down') }, find: { do: 'fail', error: 'router' } } as const

  it('accepts known tokens within the bound during an outage, and verifies none after the bound', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: { maxStaleness: 0.3 } })
    const { token } = await mint(tokens)
    const unseen = await mint(tokens)
    await warm(tokens, token)
    store.behave(gone)
    expect(await verdict(tokens.verify(token))).toBe('ok')
    expect(await verdict(tokens.verify(unseen.token))).toBe('store_unavailable')
    await pause(310)
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
    store.behave()
    expect(await verdict(tokens.verify(token))).toBe('ok')
    expect(await verdict(tokens.verify(unseen.token))).toBe('ok')
  })

  it('bridges an outage for as long as serveStaleFor allows, and no longer', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: { maxStaleness: 0.1, serveStaleFor: 0.4 } })
    const { token } = await mint(tokens)
    const unseen = await mint(tokens)
    await warm(tokens, token)
    store.behave(gone)
    await pause(150)
    expect(await verdict(tokens.verify(token))).toBe('ok')
    expect(await verdict(tokens.verify(unseen.token))).toBe('store_unavailable')
    await pause(450)
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
  })

  it('does not bridge an outage for a token that may have been changed', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: { maxStaleness: 0.1, serveStaleFor: 10 } })
    const { token, record } = await mint(tokens)
    await warm(tokens, token)
    store.behave({ ...gone, commit: { do: 'lose-answer' } })
    store.behave({ changes: gone.changes, commit: { do: 'fail-after', error: new Error('reset') } })
    await expect(tokens.system.revoke(record.id)).rejects.toMatchObject({ code: 'store_unavailable' })
    store.behave(gone)
    await pause(150)
    expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
  })

  it('refuses verifications with few store calls while the store hangs, and recovers once the store responds', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: false, deadline: 0.15 })
    const { token } = await mint(tokens)
    store.behave({ find: { do: 'hang' } })
    for (let n = 0; n < 4; n += 1) expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
    const before = store.calls.length
    const answers = await Promise.all(Array.from({ length: 500 }, () => verdict(tokens.verify(token))))
    expect(new Set(answers)).toEqual(new Set(['store_unavailable']))
    for (let n = 0; n < 500; n += 1) await verdict(tokens.verify(token))
    expect(store.calls.length - before).toBeLessThan(20)
    store.behave()
    await until(async () => (await verdict(tokens.verify(token))) === 'ok')
  })

  it('bounds the number of pending reads during an outage', async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: false, deadline: 0.2 })
    const { token } = await mint(tokens)
    store.behave({ find: { do: 'hang' } })
    const answers: Promise<string>[] = []
    for (let tick = 0; tick < 500; tick += 1) {
      answers.push(verdict(tokens.verify(token)))
      await Promise.resolve()
      await Promise.resolve()
    }
    expect(store.calls.filter(({ method }) => method === 'find').length).toBeLessThanOrEqual(70)
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['store_unavailable']))
  })
})
