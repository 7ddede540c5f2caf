import type { StoredToken } from '../../../src/model/record.js'
import type { DistinctQuery } from '../../../src/store/port.js'
import { createNames } from './names.js'

/** A position in list order: by `createdAt`, then by `id`. */
export type Place = { readonly createdAt: number; readonly id: string }

/** The tokens by ID, and those of each prefix in list order. */
export type Records = {
  get(id: string): StoredToken | undefined
  /** Inserts the record, or replaces the one with this ID. */
  put(token: StoredToken): void
  remove(id: string): void
  /** Yields the tokens of a prefix, newest first, only those after `after`. Nothing may be changed during iteration. */
  newestFirst(prefix: string, after?: Place): Generator<StoredToken>
  /** Returns one page of distinct tenants or owners. */
  names(query: DistinctQuery): readonly string[]
}

export function createRecords(): Records {
  const byId = new Map<string, StoredToken>()
  const byPrefix = new Map<string, StoredToken[]>()
  const names = createNames()

  function orderOf(prefix: string): StoredToken[] {
    const known = byPrefix.get(prefix)
    if (known !== undefined) return known
    const created: StoredToken[] = []
    byPrefix.set(prefix, created)
    return created
  }

  function remove(id: string): void {
    const token = byId.get(id)
    if (token === undefined) return
    byId.delete(id)
    names.remove(token)
    const order = orderOf(token.prefix)
    order.splice(firstNotBefore(order, token), 1)
    if (order.length === 0) byPrefix.delete(token.prefix)
  }

  return {
    get: (id) => byId.get(id),

    put(token) {
      const old = byId.get(token.id)
      if (old !== undefined && old.createdAt === token.createdAt && old.prefix === token.prefix) {
        const order = orderOf(token.prefix)
        order[firstNotBefore(order, token)] = token
        names.remove(old)
      } else {
        remove(token.id)
        const order = orderOf(token.prefix)
        order.splice(firstNotBefore(order, token), 0, token)
      }
      byId.set(token.id, token)
      names.add(token)
    },

    remove,
    names: names.page,

    *newestFirst(prefix, after) {
      const order = byPrefix.get(prefix) ?? []
      for (let index = (after === undefined ? order.length : firstNotBefore(order, after)) - 1; index >= 0; index -= 1) {
        const token = order[index]
        if (token !== undefined) yield token
      }
    },
  }
}

/** Returns the index of the first token at or after `place`, in ascending order. */
function firstNotBefore(order: readonly StoredToken[], place: Place): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const token = order[middle]
    if (token !== undefined && comesBefore(token, place)) low = middle + 1
    else high = middle
  }
  return low
}

function comesBefore(a: Place, b: Place): boolean {
  return a.createdAt === b.createdAt ? a.id < b.id : a.createdAt < b.createdAt
}
