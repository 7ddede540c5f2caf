import { describe, expect, test } from 'vitest'
import { compileCatalogue } from '../../src/policy/catalogue.js'
import { readDuration } from '../../src/policy/duration.js'
import { readInstant } from '../../src/policy/instant.js'
import { normalizeIp, readNetworks } from '../../src/policy/network.js'
import { readResources, resourcesAllow } from '../../src/policy/resource.js'

/** Inputs that would make a careless reader crash instead of rejecting them. */
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
    ['an object that throws when converted', { [Symbol.toPrimitive]: fail, toString: fail, valueOf: fail }],
    ['a symbol', Symbol('x')],
  ]
}

describe.each(traps())('%s', (_name, input) => {
  const refused = expect.objectContaining({ code: 'invalid_input', field: expect.stringMatching(/^field/) })

  test('every reader rejects hostile input', () => {
    expect(() => readInstant('field', input)).toThrow(refused)
    expect(() => readDuration('field', input, { min: 0, max: 1 })).toThrow(refused)
    expect(() => readNetworks('field', input)).toThrow(refused)
    expect(() => readNetworks('field', [input])).toThrow(refused)
    expect(() => readResources('field', input)).toThrow(refused)
    expect(() => readResources('field', { warehouse: input })).toThrow(refused)
    expect(() => readResources('field', { warehouse: [input] })).toThrow(refused)
  })

  test('hostile input grants no access', () => {
    expect(normalizeIp(input)).toBeUndefined()
    expect(resourcesAllow({ warehouse: ['w1'] }, { warehouse: input as string })).toBe(false)
    const catalogue = compileCatalogue({ scopes: { a: 'A' } })
    expect(catalogue.whyNotGrantable(input)).toBeDefined()
    expect(catalogue.resolve([input as string]).names).toEqual([])
  })

  test('hostile input creates no catalogue', () => {
    const refusal = expect.objectContaining({ code: 'invalid_input' })
    expect(() => compileCatalogue({ scopes: input })).toThrow(refusal)
    expect(() => compileCatalogue({ scopes: {}, groups: input })).toThrow(refusal)
    expect(() => compileCatalogue({ scopes: {}, groups: { g: input } })).toThrow(refusal)
    expect(() => compileCatalogue({ scopes: {}, implies: input })).toThrow(refusal)
  })
})
