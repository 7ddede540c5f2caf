import { expect, it } from 'vitest'
import { compileFilter, compileFilters, type Filtered } from '../../src/store/compile-filter.js'
import type { TokenFilter } from '../../src/store/port.js'
import { fc } from '../support/property.js'

const name = fc.constantFrom('a', 'b', 'c', 'a\nb')
const names = fc.array(name, { maxLength: 3 })
const filter = fc.record(
  { prefix: fc.constant('acme'), ids: names, tenantIds: names, ownerId: name, createdBy: name, rootId: name },
  { requiredKeys: ['prefix'] },
)
const token = fc.record({ id: name, createdBy: name, tenantId: name, ownerId: name, rootId: name }, { requiredKeys: ['id', 'createdBy'] })

it('a combined filter matches exactly the tokens that one of its filters matches', () => {
  fc.assert(
    fc.property(fc.array(filter, { maxLength: 6 }), fc.array(token, { minLength: 1, maxLength: 20 }), (filters, tokens) => {
      const combined = compileFilters(filters as TokenFilter[])
      const single = filters.map((each) => compileFilter(each as TokenFilter))
      for (const each of tokens as Filtered[]) expect(combined(each)).toBe(single.some((matches) => matches(each)))
    }),
  )
})

it.each([
  ['owners in a tenant', (at: number) => ({ tenantIds: ['t'], ownerId: `o${at}` })],
  ['tenants', (at: number) => ({ tenantIds: [`t${at}`] })],
  ['creators in several tenants', (at: number) => ({ tenantIds: ['t', 'u', `t${at}`], createdBy: `c${at}` })],
  ['lineages', (at: number) => ({ rootId: `r${at}` })],
  ['token IDs', (at: number) => ({ ids: [`i${at}`], tenantIds: ['t'] })],
])('matching a token reads no more fields with five thousand filters than with two, if filters name %s', (_, filterAt) => {
  const readsWith = (count: number): number => {
    let reads = 0
    const target: Filtered = { id: 'i', tenantId: 't', ownerId: 'o', createdBy: 'c', rootId: 'r' }
    const proxy = new Proxy(target, {
      get(of, key, receiver) {
        reads += 1
        return Reflect.get(of, key, receiver)
      },
    })
    compileFilters(Array.from({ length: count }, (_, at) => ({ prefix: 'acme', ...filterAt(at) })))(proxy)
    return reads
  }
  expect(readsWith(5000)).toBe(readsWith(2))
})
