import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { instance, mint, verdict } from '../latchkey/harness.js'

/** An owner directory that answers when the test releases it, with a clock that the test sets. */
function directory() {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const state = { calls: 0, gone: true, failing: false }
  let release = (): void => undefined
  let released: Promise<void> = Promise.resolve()
  const tokens = instance({
    owner: async () => {
      state.calls += 1
      const { gone, failing } = state
      await released
      if (failing) throw new Error('the directory is down')
      return gone ? null : { scopes: ['stock:read'] }
    },
  })
  /** Verifies a token many times before the directory answers, and counts the verdicts. */
  const verifyAtOnce = async (token: string, times: number) => {
    released = new Promise((resolve) => {
      release = resolve
    })
    const verdicts = Array.from({ length: times }, () => verdict(tokens.verify(token)))
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve()
    release()
    const counts: Record<string, number> = {}
    for (const word of await Promise.all(verdicts)) counts[word] = (counts[word] ?? 0) + 1
    return counts
  }
  return { tokens, state, verifyAtOnce }
}

describe('concurrent verifications of a token with an owner', () => {
  it('for an owner who is gone, the callback is called at most 100 times, and then ten times a second, however slowly it answers', async () => {
    const { tokens, state, verifyAtOnce } = directory()
    const { token } = await mint(tokens, { ownerId: 'u1' })
    await tokens.verify(token)
    for (let second = 0; second <= 60; second += 10) {
      await verifyAtOnce(token, 500)
      expect(state.calls).toBeLessThanOrEqual(100 + 10 * second)
      vi.advanceTimersByTime(10_000)
    }
    expect(state.calls).toBeGreaterThan(600)
  })

  it('concurrent verifications of a token whose owner exists are all accepted, even if all start before the first is answered', async () => {
    const { tokens, state, verifyAtOnce } = directory()
    state.gone = false
    const { token } = await mint(tokens, { ownerId: 'u1' })
    await tokens.verify(token)
    expect(await verifyAtOnce(token, 500)).toEqual({ ok: 500 })
  })

  it('concurrent verifications are all accepted again once one verification has found the owner', async () => {
    const { tokens, state, verifyAtOnce } = directory()
    const { token } = await mint(tokens, { ownerId: 'u1' })
    for (let use = 0; use < 50; use += 1) expect(await verdict(tokens.verify(token))).toBe('owner_denied')
    state.gone = false
    expect(await verdict(tokens.verify(token))).toBe('ok')
    expect(await verifyAtOnce(token, 500)).toEqual({ ok: 500 })
  })

  it('verifications are not charged to the budget for owner lookups while the owner callback fails', async () => {
    const { tokens, state, verifyAtOnce } = directory()
    const { token } = await mint(tokens, { ownerId: 'u1' })
    await tokens.verify(token)
    state.failing = true
    for (let round = 0; round < 5; round += 1) expect(await verifyAtOnce(token, 50)).toEqual({ store_unavailable: 50 })
    state.failing = false
    expect(await verdict(tokens.verify(token))).toBe('owner_denied')
  })
})

it('explain() shares the budget for owner lookups, and reports that an owner is gone even when the budget is used up', async () => {
  const { tokens, state } = directory()
  const { token, record } = await mint(tokens, { ownerId: 'u1' })
  for (let call = 0; call < 500; call += 1) {
    const explained = await tokens.system.explain(record.id)
    expect([explained.ok, explained.code]).toEqual([false, 'owner_denied'])
  }
  expect(state.calls).toBeLessThanOrEqual(100)
  expect(await verdict(tokens.verify(token))).toBe('rate_limited')
  state.gone = false
  vi.advanceTimersByTime(1000)
  expect((await tokens.system.explain(record.id)).ok).toBe(true)
  expect(await verdict(tokens.verify(token))).toBe('ok')
})
