import { afterEach, beforeEach, vi } from 'vitest'

/** Just within a deadline of one second. */
export const SLOW_MS = 900

export const slow = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SLOW_MS))
export const never = (): Promise<never> => new Promise(() => undefined)

/** The `ending` of a call that is not decided within a deadline of one second. */
export const UNDECIDED = { code: 'store_unavailable', after: 1000 } as const

/** Resolves with the result of a call, or with its error's code, and the fake time that it took. */
export async function ending(call: () => Promise<unknown>): Promise<{ value?: unknown; code?: string | undefined; after: number }> {
  const begunAt = performance.now()
  const ended = call().then(
    (value) => ({ value, after: performance.now() - begunAt }),
    (error: { code?: string }) => ({ code: error.code, after: performance.now() - begunAt }),
  )
  await vi.advanceTimersByTimeAsync(30_000)
  return await ended
}

/** Runs each test of the calling file on fake timers. */
export function onFakeTimers(): void {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })
}
