import type { Latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { faultyStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { codeOf, instance, mint, pause, principalOf, type Scope, until, verdict, warm } from '../latchkey/harness.js'

const ENDINGS: { readonly [verb: string]: readonly [(tokens: Latchkey<Scope>, id: string) => Promise<unknown>, string] } = {
  revoke: [(tokens, id) => tokens.system.revoke(id), 'token_revoked'],
  revokeAll: [(tokens) => tokens.system.revokeAll({ all: true }), 'token_revoked'],
  deactivate: [(tokens, id) => tokens.system.deactivate(id), 'token_inactive'],
  'rotate without an overlap': [(tokens, id) => tokens.system.rotate(id), 'token_revoked'],
  'an earlier expiry': [(tokens, id) => tokens.system.update(id, { expiresAt: Date.now() + 30 }), 'token_expired'],
}

describe('the signal of a principal', () => {
  for (const [verb, [end, code]] of Object.entries(ENDINGS)) {
    for (const where of ['here', 'on another node'] as const) {
      it(`fires a principal's signal after ${verb} ${where}`, async () => {
        const store = memoryStore()
        const tokens = instance({ store, cache: { maxStaleness: 30 } })
        const { token, record } = await mint(tokens)
        const bystander = await mint(instance({ store: memoryStore() }))
        expect(bystander.token).toBeDefined()
        const { signal } = await principalOf(tokens.verify(token))
        await warm(tokens, token)
        expect(signal.aborted).toBe(false)
        await end(where === 'here' ? tokens : instance({ store }), record.id)
        await until(() => signal.aborted)
        expect(codeOf(signal.reason)).toBe(code)
      })
    }
  }

  it.each(['here', 'on another node'] as const)(
    'fires the signal of an open request when the lineage of its rotated token is revoked %s',
    async (where) => {
      const options = { store: memoryStore(), cache: { maxStaleness: 30 }, onReuse: 'revoke_lineage' } as const
      const tokens = instance(options)
      const reused = where === 'here' ? tokens : instance(options)
      const first = await mint(tokens)
      const { signal } = await principalOf(tokens.verify(first.token))
      await warm(tokens, first.token)
      const second = await tokens.system.rotate(first.record.id, { overlap: '1d' })
      await tokens.system.rotate(second.record.id)
      await pause(30)
      expect(signal.aborted).toBe(false)
      expect(await verdict(reused.verify(second.token))).toBe('token_revoked')
      await until(() => signal.aborted)
      expect(codeOf(signal.reason)).toBe('token_revoked')
    },
  )

  it("fires a principal's signal when the token ends on another node, even without a cache", async () => {
    const store = memoryStore()
    const tokens = instance({ store, cache: false })
    const { token, record } = await mint(tokens)
    const { signal } = await principalOf(tokens.verify(token))
    await pause(20)
    await instance({ store }).system.revoke(record.id)
    await until(() => signal.aborted)
  })

  it("fires a principal's signal when the token expires", async () => {
    const tokens = instance()
    const { token } = await mint(tokens, { expiresAt: Date.now() + 60 })
    const { signal } = await principalOf(tokens.verify(token))
    await until(() => signal.aborted)
    expect(codeOf(signal.reason)).toBe('token_expired')
  })

  it("fires a principal's signal if the token ended between the decision and the first access to the signal", async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const principal = await principalOf(tokens.verify(token))
    await tokens.system.revoke(record.id)
    const { signal } = principal
    await until(() => signal.aborted)
  })

  it('gives each use of a token its own stable signal, which ignores changes that do not end the token', async () => {
    const tokens = instance()
    const { token, record } = await mint(tokens)
    const other = await mint(tokens)
    const principal = await principalOf(tokens.verify(token))
    const first = principal.signal
    expect(principal.signal).toBe(first)
    expect((await principalOf(tokens.verify(token))).signal).not.toBe(first)
    await tokens.system.update(record.id, { name: 'y' })
    await tokens.system.rotate(record.id, { overlap: 600 })
    await tokens.system.revoke(other.record.id)
    await pause(30)
    expect(first.aborted).toBe(false)
  })

  it("fires a principal's signal once neither the feed nor the store can confirm the token, and not before", async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: { maxStaleness: 0.2 }, deadline: 0.15 })
    const { token } = await mint(tokens)
    const { signal } = await principalOf(tokens.verify(token))
    await warm(tokens, token)
    store.behave({ find: { do: 'fail', error: null } })
    await pause(100)
    expect(signal.aborted).toBe(false)
    store.behave({ find: { do: 'fail', error: null }, changes: { do: 'fail', error: null } })
    await until(() => signal.aborted)
    expect(codeOf(signal.reason)).toBe('store_unavailable')
  })

  it("fires a principal's signal when the token expires even while its record cannot be read", async () => {
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, cache: { maxStaleness: 30 } })
    const { token } = await mint(tokens, { expiresAt: Date.now() + 80 })
    const { signal } = await principalOf(tokens.verify(token))
    await warm(tokens, token)
    store.behave({ find: { do: 'fail', error: new Error('down') } })
    await until(() => signal.aborted)
    expect(codeOf(signal.reason)).toBe('token_expired')
  })

  it.each([
    ['that can be read', {}],
    ['that cannot be read', { find: { do: 'fail', error: new Error('down') } }],
  ] as const)("fires a principal's signal soon after the wall clock jumps past the expiry of a token %s", async (_what, behavior) => {
    let skew = 0
    const store = faultyStore(memoryStore())
    const tokens = instance({ store, clock: () => Date.now() + skew })
    const { token } = await mint(tokens, { expiresIn: '1h' })
    const { signal } = await principalOf(tokens.verify(token))
    await warm(tokens, token)
    store.behave(behavior)
    skew = 1_800_000
    await pause(1100)
    expect(signal.aborted).toBe(false)
    skew = 3_601_000
    await until(() => signal.aborted)
    expect(codeOf(signal.reason)).toBe('token_expired')
  })

  it("fires a principal's signal if the instance is closed", async () => {
    const tokens = instance()
    const { token } = await mint(tokens)
    const principal = await principalOf(tokens.verify(token))
    await tokens.close()
    expect(principal.signal.aborted).toBe(true)
    expect(codeOf(principal.signal.reason)).toBe('closed')
  })
})
