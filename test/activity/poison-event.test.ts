import type { AuditEvent } from 'latchkey'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { instance, mint, trail } from '../latchkey/harness.js'

class NotAccepted extends Error {}

/**
 * The receiver from docs/events.md, which accepts all events but one, and its handler, which sets aside the events that the receiver
 * refuses.
 */
function receiver(attempts: number) {
  const world = { isDown: false, bad: '', taken: [] as string[], aside: [] as string[] }
  async function send(event: AuditEvent): Promise<void> {
    if (world.isDown) throw new Error('the receiver is down')
    if (event.id === world.bad) throw new NotAccepted('400')
    world.taken.push(event.id)
  }
  let refused = { id: '', times: 0 }
  async function handler(event: AuditEvent): Promise<void> {
    try {
      await send(event)
    } catch (error) {
      if (!(error instanceof NotAccepted)) throw error
      refused = { id: event.id, times: event.id === refused.id ? refused.times + 1 : 1 }
      if (refused.times < attempts) throw error
      world.aside.push(event.id)
    }
  }
  return { world, handler }
}

describe("an event that a consumer's handler always rejects", () => {
  it('health() shows a rejected event that blocks later events until the handler sets it aside', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const tokens = instance()
    for (let index = 0; index < 4; index += 1) await mint(tokens)
    const [one = '', bad = '', ...rest] = await trail(tokens)
    const { world, handler } = receiver(6)
    world.bad = bad
    tokens.system.consume('crm', handler)
    await vi.advanceTimersByTimeAsync(6_000)
    const [held] = (await tokens.health()).consumers
    expect(world.taken).toEqual([one])
    expect(held).toMatchObject({ name: 'crm', runsHere: true })
    expect(held?.failures).toBeGreaterThanOrEqual(3)
    expect(held?.failures).toBeLessThan(6)
    expect(held?.lastFailureSecondsAgo).toBeLessThan(6)
    expect(held?.lagSeconds).toBeGreaterThanOrEqual(6)
    await vi.advanceTimersByTimeAsync(60_000)
    expect([world.taken, world.aside]).toEqual([[one, ...rest], [bad]])
    expect((await tokens.health()).consumers).toMatchObject([{ name: 'crm', failures: 0, lagSeconds: 0 }])
  })

  it('distinguishes a rejected event from a receiver that is down, in which case every event waits', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const tokens = instance()
    for (let index = 0; index < 3; index += 1) await mint(tokens)
    const { world, handler } = receiver(2)
    world.isDown = true
    tokens.system.consume('crm', handler)
    await vi.advanceTimersByTimeAsync(600_000)
    expect([world.taken, world.aside]).toEqual([[], []])
    world.isDown = false
    await vi.advanceTimersByTimeAsync(31_000)
    expect(world.taken).toEqual(await trail(tokens))
  })
})
