import type { ConsumerState } from '../../../src/store/port.js'

/** Where the consumers of audit events stand. */
export type Consumers = {
  of(prefix: string): ConsumerState[]
  save(state: ConsumerState): boolean
}

export function createConsumers(): Consumers {
  const byKey = new Map<string, ConsumerState>()
  return {
    of: (prefix) => [...byKey.values()].filter((state) => state.prefix === prefix),

    save(state) {
      const key = JSON.stringify([state.prefix, state.name])
      if ((byKey.get(key)?.version ?? 0) !== state.version - 1) return false
      byKey.set(key, Object.freeze({ ...state }))
      return true
    },
  }
}
