import type { SealQuery, StoredSeal } from '../../../src/store/port.js'

/** The seals of each prefix, by number. */
export type Seals = {
  page(query: SealQuery): StoredSeal[]
  save(seal: StoredSeal): boolean
  /** Writes a seal: replaces the one with its number, or appends it. */
  put(seal: StoredSeal): void
}

export function createSeals(): Seals {
  const byPrefix = new Map<string, StoredSeal[]>()
  return {
    page({ prefix, after = 0, order, limit }) {
      const seals = byPrefix.get(prefix) ?? []
      return order === 'newest' ? seals.slice(-limit).reverse() : seals.slice(after, after + limit)
    },

    save(seal) {
      const seals = byPrefix.get(seal.prefix) ?? []
      if (seal.number !== seals.length + 1) return false
      byPrefix.set(seal.prefix, [...seals, Object.freeze({ ...seal })])
      return true
    },

    put(seal) {
      const seals = [...(byPrefix.get(seal.prefix) ?? [])]
      seals[seal.number - 1] = Object.freeze({ ...seal })
      byPrefix.set(seal.prefix, seals)
    },
  }
}
