import type { ConsumerState, ConsumerVersion } from '../../../src/store/port.js'

/** The positions of the consumers of audit events. */
export type Consumers = {
  of(prefix: string): ConsumerState[]
  save(state: ConsumerState): boolean
  remove(consumer: ConsumerVersion): boolean
  /** Writes a state, replacing any existing one. */
  put(state: ConsumerState): void
  /** Removes any existing state. */
  drop(prefix: string, name: string): void
}

export function createConsumers(): Consumers {
  const byKey = new Map<string, ConsumerState>()
  const keyOf = ({ prefix, name }: Pick<ConsumerState, 'prefix' | 'name'>): string => JSON.stringify([prefix, name])
  return {
    of: (prefix) => [...byKey.values()].filter((state) => state.prefix === prefix),

    save(state) {
      const key = keyOf(state)
      if ((byKey.get(key)?.version ?? 0) !== state.version - 1) return false
      byKey.set(key, Object.freeze({ ...state }))
      return true
    },

    remove(consumer) {
      const key = keyOf(consumer)
      return byKey.get(key)?.version === consumer.version && byKey.delete(key)
    },

    put(state) {
      byKey.set(keyOf(state), Object.freeze({ ...state }))
    },

    drop(prefix, name) {
      byKey.delete(keyOf({ prefix, name }))
    },
  }
}
