import { describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../src/errors.js'
import { Breaker } from '../../src/store/breaker.js'
import { DeadlineError } from '../../src/store/deadline.js'

function reads(clock: { now: number }) {
  const breaker = new Breaker(
    () => clock.now,
    () => undefined,
  )
  const start = () => {
    let resolve: (value: string) => void = () => undefined
    let reject: (error: unknown) => void = () => undefined
    const pending = new Promise<string>((yes, no) => {
      resolve = yes
      reject = no
    })
    const outcome = Promise.resolve(breaker.run(() => pending)).catch((error: unknown) => error)
    return {
      answer: () => {
        resolve('row')
        return outcome
      },
      hang: () => {
        reject(new DeadlineError('late'))
        return outcome
      },
      fail: () => {
        reject(new StoreUnavailableError('refused'))
        return outcome
      },
    }
  }
  return { breaker, start }
}

describe('the breaker', () => {
  it('the breaker opens after three hung reads, and lets one probe through at a time', async () => {
    const clock = { now: 0 }
    const { breaker, start } = reads(clock)
    for (const read of [start(), start(), start()]) await read.hang()
    expect(breaker.isOpen).toBe(true)
    const probe = start()
    expect(() => breaker.run(() => 'row')).toThrow('stopped answering')
    await probe.answer()
    expect(breaker.run(() => 'row')).toBe('row')
  })

  it('the breaker does not open again because of reads that were lost before the store recovered', async () => {
    const clock = { now: 0 }
    const { breaker, start } = reads(clock)
    const lost = Array.from({ length: 8 }, start)
    for (const read of lost.slice(0, 3)) await read.hang()
    expect(breaker.isOpen).toBe(true)
    await start().answer()
    for (const read of lost.slice(3)) await read.hang()
    expect(breaker.isOpen).toBe(false)
  })

  it('the breaker treats a quick failure as a response', async () => {
    const { breaker, start } = reads({ now: 0 })
    const lost = Array.from({ length: 3 }, start)
    await start().fail()
    for (const read of lost) await read.hang()
    expect(breaker.isOpen).toBe(false)
  })

  it('the breaker opens when reads sent after the last response hang', async () => {
    const { breaker, start } = reads({ now: 0 })
    await start().answer()
    for (const read of Array.from({ length: 3 }, start)) await read.hang()
    expect(breaker.isOpen).toBe(true)
  })
})
