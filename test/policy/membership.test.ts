import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { expect, it, vi } from 'vitest'
import { compileCatalogue } from '../../src/policy/catalogue.js'
import { resourcesAllow, resourcesWithin } from '../../src/policy/resource.js'
import { intersectResources } from '../../src/verify/permissions.js'

const COUNT = 1000
const values = (from: number) => Array.from({ length: COUNT }, (_, at) => `w${from + at}`)

/** A list that counts how often one of its elements is read. */
function counted(list: readonly string[]) {
  const reads = { count: 0 }
  const proxy = new Proxy(list, {
    get(target, key, receiver) {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads.count += 1
      return Reflect.get(target, key, receiver)
    },
  })
  return { list: proxy, reads }
}

// Holders of tokens choose these lists, and every verification compares them.
it.each([
  ["a token's resources with its owner's", 0, (a, b) => intersectResources({ w: a }, { w: b })?.w?.length, COUNT],
  ['disjoint resources', COUNT, (a, b) => intersectResources({ w: a }, { w: b })?.w?.length, 0],
  ['the resources of a request with those of a token', 0, (a, b) => resourcesAllow({ w: b }, { w: a }), true],
  ['requested resources with granted resources', 0, (a, b) => resourcesWithin({ w: a }, { w: b }), true],
  ['requested grants with current grants', 0, (a, b) => compileCatalogue({ scopes: { x: '' } }).grantable([], a, b), undefined],
] as [string, number, (a: readonly string[], b: readonly string[]) => unknown, unknown][])(
  'comparing %s takes a number of reads proportional to the sizes of both lists',
  (_, from, compare, result) => {
    const { list, reads } = counted(values(0))
    expect(compare(values(from), list)).toEqual(result)
    expect(reads.count).toBeLessThanOrEqual(3 * COUNT)
  },
)

it('intersectResources() gives the same result for small and large lists', () => {
  for (const [few, many] of [
    [['w1', 'w5000'], values(0)],
    [values(0), ['w5000', 'w1']],
    [
      ['w1', 'w2'],
      ['w2', 'w1'],
    ],
  ] as const) {
    expect(intersectResources({ w: few }, { w: many })).toEqual({ w: few.filter((value) => (many as readonly string[]).includes(value)) })
  }
})

it('an update does not search the list of current scopes for each scope', async () => {
  const names = Array.from({ length: 100 }, (_, at) => `s${at}`)
  const scopes = Object.fromEntries(names.map((name) => [name, '']))
  const { system } = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes })
  const { record } = await system.create({ name: 'ERP', scopes: names })
  const spy = vi.spyOn(Array.prototype, 'includes')
  try {
    await system.update(record.id, { name: 'CRM' })
    expect(spy.mock.contexts.filter((list) => Array.isArray(list) && list.length === names.length)).toHaveLength(0)
  } finally {
    spy.mockRestore()
  }
})
