import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { testLatchkey } from 'latchkey/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'

const scopes = { 'inventory:read': 'See stock' }
const HOUR_MS = 3_600_000

afterEach(() => void vi.useRealTimers())

describe("Vitest's fake clock", () => {
  it.each(['before its creation', 'after its creation'])("an instance follows Vitest's fake clock set %s", async (when) => {
    const early = when.startsWith('before')
    if (early) vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2031, 0, 1) })
    const { tokens, tokenFor } = testLatchkey({ scopes })
    if (!early) vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2031, 0, 1) })
    const token = await tokenFor({ scopes: ['inventory:read'], expiresIn: '1h' })
    expect((await tokens.verify(token)).ok).toBe(true)
    vi.setSystemTime(Date.UTC(2031, 0, 1) + HOUR_MS - 1000)
    expect((await tokens.verify(token)).ok).toBe(true)
    vi.setSystemTime(Date.UTC(2031, 0, 1) + HOUR_MS)
    expect(await tokens.verify(token)).toEqual({ ok: false, code: 'token_expired' })
    await tokens.close()
  })

  it('an instance uses real time again once the fake clock is removed', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2031, 0, 1) })
    const { tokens, tokenFor } = testLatchkey({ scopes })
    const token = await tokenFor({ scopes: ['inventory:read'], expiresIn: '1h' })
    vi.useRealTimers()
    expect((await tokens.system.list()).items[0]?.createdAt.getUTCFullYear()).toBe(2031)
    expect((await tokens.verify(token)).ok).toBe(true)
    expect((await tokens.system.create({ name: 'now', scopes: [] })).record.createdAt.getTime()).toBeLessThan(Date.UTC(2031, 0, 1))
    await tokens.close()
  })

  it('fake timers fire a signal when its token expires', async () => {
    vi.useFakeTimers()
    const tokens = latchkey({ prefix: 'acme_test', store: memoryStore(), scopes, logger: false })
    const { token } = await tokens.system.create({ name: 'ERP', scopes: ['inventory:read'], expiresIn: '1m' })
    const verification = await tokens.verify(token)
    if (!verification.ok) throw new Error(verification.code)
    const { signal } = verification.principal
    await vi.advanceTimersByTimeAsync(59_000)
    expect(signal.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(signal.reason).toMatchObject({ code: 'token_expired' })
    vi.useRealTimers()
    await tokens.close()
  })
})

it('an instance follows the mock timers of node:test', async () => {
  const file = fileURLToPath(new URL('runners/node-fake-time.ts', import.meta.url))
  // Without this variable, Node's runner reports as in a terminal instead of to the outer runner.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '--test', '--test-reporter', 'tap', file], { env })
  expect(stdout).toMatch(/^# pass 1$/m)
}, 120_000)
