import { interceptStore, type StoreMethod } from 'latchkey/testing'
import type { TokenStore } from '../../src/store/port.js'

/** A store whose responses the test can delay one by one. Each response contains the data from the time of the call. */
export type LateStore = TokenStore & {
  /** The next call of this method reads immediately; its response arrives when the test releases it. */
  answerLate(method: StoreMethod): LateAnswer
  /** How often each method was called. */
  readonly calls: ReadonlyMap<string, number>
}

/** A response that is held back. */
export type LateAnswer = {
  /** Resolves when the call has been made. */
  readonly asked: Promise<void>
  arrive(): void
}

export function lateStore(store: TokenStore): LateStore {
  const late = new Map<string, { taken: () => void; gate: Promise<void> }[]>()
  const calls = new Map<string, number>()
  const wrapped = interceptStore(store, ({ method }, proceed) => {
    calls.set(method, (calls.get(method) ?? 0) + 1)
    const next = late.get(method)?.shift()
    if (next === undefined) return proceed()
    const answer = proceed()
    next.taken()
    return next.gate.then(() => answer)
  })
  return Object.assign(wrapped, {
    calls,
    answerLate(method: StoreMethod): LateAnswer {
      let taken: () => void = () => undefined
      let arrive: () => void = () => undefined
      const asked = new Promise<void>((resolve) => {
        taken = resolve
      })
      const gate = new Promise<void>((resolve) => {
        arrive = resolve
      })
      late.set(method, [...(late.get(method) ?? []), { taken, gate }])
      return { asked, arrive }
    },
  })
}
