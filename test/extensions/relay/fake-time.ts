import { onTestFinished, vi } from 'vitest'
import type { RelayClock } from '../../../src/extensions/relay/clock.js'

type Timer = { readonly at: number; readonly order: number; run: (() => void) | undefined }

/** Time that advances only when the test advances it, for all code that sets timers. */
export class FakeTime implements RelayClock {
  #now = 1_000
  #order = 0
  #seed = 1
  readonly #heap: Timer[] = []

  now(): number {
    return this.#now
  }

  /** Returns the same sequence in every run (mulberry32). */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }

  after(ms: number, run: () => void): () => void {
    this.#order += 1
    // Round up to whole milliseconds, so many timers fire at the same instant.
    const timer: Timer = { at: Math.ceil(this.#now + ms), order: this.#order, run }
    this.#push(timer)
    return () => {
      timer.run = undefined
    }
  }

  /** Replaces the platform's timers until the test ends. */
  takeOver(): void {
    vi.stubGlobal('setTimeout', (run: () => void, ms = 0) => ({ cancel: this.after(ms, run), unref() {} }))
    vi.stubGlobal('clearTimeout', (timer?: { cancel?(): void }) => timer?.cancel?.())
    onTestFinished(() => {
      vi.unstubAllGlobals()
    })
  }

  /** Advances time and runs everything that becomes due. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    await settled()
    for (;;) {
      const next = this.#heap[0]
      if (next === undefined || next.at > end) break
      this.#now = Math.max(this.#now, next.at)
      while (this.#heap[0] !== undefined && this.#heap[0].at <= this.#now) this.#pop()?.run?.()
      await settled()
    }
    this.#now = end
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let at = heap.push(timer) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(timer, heap[above])) break
      heap[at] = heap[above] ?? timer
      at = above
    }
    heap[at] = timer
  }

  #pop(): Timer | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let below = at * 2 + 1
      if (isBefore(heap[below + 1], heap[below])) below += 1
      const next = heap[below]
      if (next === undefined || !isBefore(next, last)) break
      heap[at] = next
      at = below
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: Timer | undefined, b: Timer | undefined): boolean {
  return a !== undefined && b !== undefined && (a.at < b.at || (a.at === b.at && a.order < b.order))
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
