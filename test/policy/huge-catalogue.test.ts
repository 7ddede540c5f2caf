import type { Actor } from 'latchkey'
import { describe, expect, test } from 'vitest'
import { compileCatalogue } from '../../src/policy/catalogue.js'
import { harness } from '../management/support.js'
import { fc } from '../support/property.js'

const NAMES = Array.from({ length: 10_000 }, (_, at) => `area${at % 100}:s${at}:read`)
const SCOPES = Object.fromEntries(NAMES.map((name) => [name, '']))
const GROUPS = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`g${at}`, NAMES.slice(at * 100, at * 100 + 100)]))

// Quadratic work takes minutes with this catalogue, so the test would time out.
describe('a catalogue of ten thousand scopes', () => {
  const world = () => harness({ scopes: SCOPES as never, groups: GROUPS as never })

  test('GET /me answers an actor that lists every scope', async () => {
    const { call, tokens } = world()
    const actor: Actor = { id: 'ada', tenants: ['acme'], manages: 'all', scopes: NAMES }
    const { status, body } = await call('GET', '/me', { actor })
    expect([status, body.grantable.length]).toEqual([200, NAMES.length])
    await tokens.close()
  })

  test('GET /:id/explain explains a hundred scopes that the token lacks', async () => {
    const { call, create, tokens } = world()
    const admin: Actor = { id: 'ada', tenants: ['acme'], manages: 'all' }
    const { id } = await create(admin, { scopes: [NAMES[0]] })
    const query = NAMES.slice(-100).map((name) => `scope=${name}`)
    const { status, body } = await call('GET', `/${id}/explain?${query.join('&')}`, { actor: admin })
    const { scopes } = body.steps.find(({ step }: { step: string }) => step === 'scopes')
    expect(status).toBe(200)
    expect(scopes.at(-1)).toMatchObject({ scope: NAMES.at(-1), held: false, givenBy: [NAMES.at(-1), '@g99', 'area99:s9999:*', 'area99:*'] })
    await tokens.close()
  })

  test('a group of every scope expands to the catalogue', () => {
    const { resolve } = compileCatalogue({ scopes: SCOPES, groups: { all: NAMES } })
    for (const other of NAMES.slice(0, 50)) expect(resolve(['@all', other]).names).toHaveLength(NAMES.length)
  })
})

const names = ['a:x', 'a:y', 'a:b:x', 'b:x', 'c']
const some = fc.subarray(names)
const grant = fc.constantFrom(...names, 'a:*', 'a:b:*', 'b:*', 'c:*', '*', '@g', '@h', '@gone', 'gone', 'a:', 'inv*')
const shape = fc.record({
  scopes: fc.subarray(names, { minLength: 1 }),
  implies: fc.dictionary(fc.constantFrom(...names), some),
  groups: fc.record({ g: fc.subarray([...names, 'a:*', 'b:*']), h: some }),
  allowWildcard: fc.boolean(),
  held: fc.array(grant, { maxLength: 4 }),
})

type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never

const compiled = ({ scopes, implies, groups, allowWildcard }: Omit<Shape, 'held'>) => {
  const known = (list: readonly string[]) => list.filter((name) => name.endsWith('*') || scopes.includes(name))
  const kept = Object.entries(implies).filter(([name]) => scopes.includes(name))
  return compileCatalogue({
    scopes: Object.fromEntries(scopes.map((name) => [name, ''])),
    implies: Object.fromEntries(kept.map(([name, list]) => [name, known(list)])),
    groups: {
      g: known(groups.g).filter((member) => !member.endsWith('*') || scopes.some((name) => name.startsWith(member.slice(0, -1)))),
      h: known(groups.h),
    },
    allowWildcard,
  })
}

test('the scopes that an actor may grant are exactly those that grantable() allows one by one', () => {
  fc.assert(
    fc.property(shape, ({ held, ...options }) => {
      const catalogue = compiled(options)
      const allowed = catalogue.grants().filter((one) => catalogue.grantable(held, [one], []) === undefined)
      expect(catalogue.grantableOf(held)).toEqual(allowed)
      expect(catalogue.grants().filter((one) => catalogue.whyNotGrantable(one) !== undefined)).toEqual([])
    }),
  )
})

test('a grant covers a scope if and only if it expands to that scope', () => {
  fc.assert(
    fc.property(shape, ({ held, ...options }) => {
      const catalogue = compiled(options)
      for (const scope of [...names, 'gone', 'toString']) {
        expect(catalogue.givers(scope, held)).toEqual(held.filter((one) => catalogue.resolve([one]).has(scope)))
      }
    }),
  )
})
