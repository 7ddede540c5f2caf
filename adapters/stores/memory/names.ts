import type { StoredToken } from '../../../src/model/record.js'
import type { DistinctQuery } from '../../../src/store/port.js'

/** The distinct tenants and owners of all tokens. */
export type Names = {
  /** Adds the names of a current token. */
  add(token: StoredToken): void
  /** Removes the names of a previous token. */
  remove(token: StoredToken): void
  page(query: DistinctQuery): readonly string[]
}

type Values = {
  readonly size: number
  add(value: string): void
  remove(value: string): void
  behind(after: string, limit: number): readonly string[]
}

type OfPrefix = { readonly tenants: Values; readonly owners: Values; readonly ownersOf: Map<string, Values> }

/** Keeps counts, so that the cost of a page does not depend on the number of tokens. */
export function createNames(): Names {
  const byPrefix = new Map<string, OfPrefix>()

  function known(prefix: string): OfPrefix {
    const found = byPrefix.get(prefix) ?? { tenants: createValues(), owners: createValues(), ownersOf: new Map<string, Values>() }
    byPrefix.set(prefix, found)
    return found
  }

  function ownersOf({ ownersOf }: OfPrefix, tenantId: string): Values {
    const found = ownersOf.get(tenantId) ?? createValues()
    ownersOf.set(tenantId, found)
    return found
  }

  function change(verb: 'add' | 'remove', { prefix, tenantId, ownerId }: StoredToken): void {
    const names = known(prefix)
    if (tenantId !== undefined) names.tenants[verb](tenantId)
    if (ownerId === undefined) return
    names.owners[verb](ownerId)
    if (tenantId === undefined) return
    const owners = ownersOf(names, tenantId)
    owners[verb](ownerId)
    if (owners.size === 0) names.ownersOf.delete(tenantId)
  }

  return {
    add: (token) => change('add', token),
    remove: (token) => change('remove', token),
    page({ prefix, field, tenantId, after = '', limit }) {
      const names = byPrefix.get(prefix)
      const ofOwners = tenantId === undefined ? names?.owners : names?.ownersOf.get(tenantId)
      return (field === 'tenantId' ? names?.tenants : ofOwners)?.behind(after, limit) ?? []
    },
  }
}

/** Values with their number of tokens. Sorted when a page is read; only values that were added since the last page need sorting. */
function createValues(): Values {
  const counts = new Map<string, number>()
  let sorted: string[] = []
  const added = new Set<string>()
  let gone = false

  function settle(): void {
    if (gone) sorted = sorted.filter((value) => counts.has(value) && !added.has(value))
    gone = false
    if (added.size === 0) return
    // Two sorted runs, which the engine merges.
    sorted = [...sorted, ...[...added].sort()].sort()
    added.clear()
  }

  return {
    get size() {
      return counts.size
    },
    add(value) {
      const count = counts.get(value) ?? 0
      counts.set(value, count + 1)
      if (count === 0) added.add(value)
    },
    remove(value) {
      const count = counts.get(value) ?? 0
      if (count > 1) counts.set(value, count - 1)
      else if (counts.delete(value) && !added.delete(value)) gone = true
    },
    behind(after, limit) {
      settle()
      let [low, high] = [0, sorted.length]
      while (low < high) {
        const middle = (low + high) >>> 1
        if ((sorted[middle] ?? '') > after) high = middle
        else low = middle + 1
      }
      return sorted.slice(low, low + limit)
    },
  }
}
