import { describe, expect, test } from 'vitest'
import { compileCatalogue } from '../../src/policy/catalogue.js'
import { readDuration } from '../../src/policy/duration.js'
import { readInstant } from '../../src/policy/instant.js'
import { normalizeIp, readNetworks } from '../../src/policy/network.js'
import { readResources, resourcesAllow } from '../../src/policy/resource.js'

/** What a caller may hand in to make a reader fall over rather than refuse. */
function traps(): [string, unknown][] {
  const fail = () => {
    throw new TypeError('touched')
  }
  const handler: ProxyHandler<object> = { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail, getOwnPropertyDescriptor: fail }
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const getter = Object.defineProperty({}, 'warehouse', { enumerable: true, get: fail })
  const list = Object.defineProperty(['x'], 0, { get: fail })
  return [
    ['a revoked proxy', proxy],
    ['a proxy that throws', new Proxy({}, handler)],
    ['a proxy of a list that throws', new Proxy([], handler)],
    ['a getter that throws', getter],
    ['a list with a getter that throws', list],
    ['an object that will not be a primitive', { [Symbol.toPrimitive]: fail, toString: fail, valueOf: fail }],
    ['a symbol', Symbol('x')],
  ]
}

describe.each(traps())('%s', (_name, input) => {
  const refused = expect.objectContaining({ code: 'invalid_input', field: expect.stringMatching(/^field/) })

  test('is refused by every reader', () => {
    expect(() => readInstant('field', input)).toThrow(refused)
    expect(() => readDuration('field', input, { min: 0, max: 1 })).toThrow(refused)
    expect(() => readNetworks('field', input)).toThrow(refused)
    expect(() => readNetworks('field', [input])).toThrow(refused)
    expect(() => readResources('field', input)).toThrow(refused)
    expect(() => readResources('field', { warehouse: input })).toThrow(refused)
    expect(() => readResources('field', { warehouse: [input] })).toThrow(refused)
  })

  test('opens nothing', () => {
    expect(normalizeIp(input)).toBeUndefined()
    expect(resourcesAllow({ warehouse: ['w1'] }, { warehouse: input as string })).toBe(false)
    const catalogue = compileCatalogue({ scopes: { a: 'A' } })
    expect(catalogue.whyNotGrantable(input)).toBeDefined()
    expect(catalogue.resolve([input as string]).names).toEqual([])
  })

  test('makes no catalogue', () => {
    const refusal = expect.objectContaining({ code: 'invalid_input' })
    expect(() => compileCatalogue({ scopes: input })).toThrow(refusal)
    expect(() => compileCatalogue({ scopes: {}, groups: input })).toThrow(refusal)
    expect(() => compileCatalogue({ scopes: {}, groups: { g: input } })).toThrow(refusal)
    expect(() => compileCatalogue({ scopes: {}, implies: input })).toThrow(refusal)
  })
})
