import { expect, it } from 'vitest'
import { createRecords } from '../../adapters/stores/memory/records.js'
import type { StoredToken } from '../../src/model/record.js'
import type { DistinctQuery } from '../../src/store/port.js'
import { token } from '../../src/testing/store-contract/build.js'

/** A seeded random number generator. */
function chance(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 4_294_967_296) * below)
  }
}

it('lists exactly the tenants and owners of the existing tokens in the memory store after random changes', () => {
  const records = createRecords()
  const there = new Map<string, StoredToken>()
  const next = chance(11)
  const some = (kind: string): string | undefined => (next(4) === 0 ? undefined : `${kind} ${next(6)}`)
  const expected = ({ prefix, field, tenantId, after = '', limit }: DistinctQuery): string[] => {
    const found = [...there.values()].filter((one) => one.prefix === prefix && (tenantId === undefined || one.tenantId === tenantId))
    return [...new Set(found.flatMap((one) => one[field] ?? []))]
      .filter((value) => value > after)
      .sort()
      .slice(0, limit)
  }
  for (let turn = 0; turn < 3000; turn += 1) {
    const id = `id-${next(40)}`
    if (next(3) === 0) {
      records.remove(id)
      there.delete(id)
    } else {
      const [tenantId, ownerId] = [some('tenant'), some('owner')]
      const made = { ...token(`prefix-${next(2)}`, { id, createdAt: next(5) }), ...(tenantId && { tenantId }), ...(ownerId && { ownerId }) }
      if (tenantId === undefined) delete (made as { tenantId?: string }).tenantId
      if (ownerId === undefined) delete (made as { ownerId?: string }).ownerId
      records.put(made)
      there.set(id, made)
    }
    if (next(3) > 0) continue
    const queries: readonly DistinctQuery[] = [
      { prefix: 'prefix-0', field: 'tenantId', limit: 3 },
      { prefix: 'prefix-1', field: 'ownerId', limit: 10 },
      { prefix: 'prefix-1', field: 'ownerId', tenantId: `tenant ${next(6)}`, after: `owner ${next(6)}`, limit: 2 },
    ]
    for (const query of queries) expect(records.names(query)).toEqual(expected(query))
  }
})
