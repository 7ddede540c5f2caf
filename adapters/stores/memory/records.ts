import type { StoredToken } from '../../../src/model/record.js'

/** A place in the order of lists: by `createdAt`, then by `id`. */
export type Place = { readonly createdAt: number; readonly id: string }

/** The tokens by id, and those of each prefix in the order of lists. */
export type Records = {
  get(id: string): StoredToken | undefined
  /** Inserts, or replaces the record with this id. */
  put(token: StoredToken): void
  remove(id: string): void
  /** The tokens of a prefix, newest first, those behind `after` only. Nothing may be changed while it is walked. */
  newestFirst(prefix: string, after?: Place): Generator<StoredToken>
}

export function createRecords(): Records {
  const byId = new Map<string, StoredToken>()
  const byPrefix = new Map<string, StoredToken[]>()

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
      } else {
        remove(token.id)
        const order = orderOf(token.prefix)
        order.splice(firstNotBefore(order, token), 0, token)
      }
      byId.set(token.id, token)
    },

    remove,

    *newestFirst(prefix, after) {
      const order = byPrefix.get(prefix) ?? []
      for (let index = (after === undefined ? order.length : firstNotBefore(order, after)) - 1; index >= 0; index -= 1) {
        const token = order[index]
        if (token !== undefined) yield token
      }
    },
  }
}

/** The index of the first token that does not come before `place`, in ascending order. */
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
