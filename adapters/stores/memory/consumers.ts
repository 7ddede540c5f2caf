import type { ConsumerState } from '../../../src/store/port.js'

/** Where the consumers of audit events stand. */
export type Consumers = {
  of(prefix: string): ConsumerState[]
  save(state: ConsumerState): boolean
  /** Writes a state over whatever is there. */
  put(state: ConsumerState): void
}

export function createConsumers(): Consumers {
  const byKey = new Map<string, ConsumerState>()
  const keyOf = ({ prefix, name }: ConsumerState): string => JSON.stringify([prefix, name])
  return {
    of: (prefix) => [...byKey.values()].filter((state) => state.prefix === prefix),

    save(state) {
      const key = keyOf(state)
      if ((byKey.get(key)?.version ?? 0) !== state.version - 1) return false
      byKey.set(key, Object.freeze({ ...state }))
      return true
    },

    put(state) {
      byKey.set(keyOf(state), Object.freeze({ ...state }))
    },
  }
}
