import { describe, expect, test } from 'vitest'
import { compileCatalogue } from '../../src/policy/catalogue.js'
import { covers } from '../../src/policy/scope.js'
import type { ScopeSet } from '../../src/policy/scope-set.js'
import { fc } from '../support/property.js'

const scopes = { 'b:read': 'B', 'a:write': 'A', 'a:read': 'A', 'c:all': 'C' }
const catalogue = compileCatalogue({
  scopes,
  groups: { staff: ['c:all', 'a:*'], plain: ['a:read'] },
  implies: { 'a:write': ['a:read'], 'c:all': ['b:read'] },
})

describe('resolve', () => {
  test("resolve() keeps the given order of names, and the catalogue's order within wildcards and groups", () => {
    expect(catalogue.names).toEqual(['b:read', 'a:write', 'a:read', 'c:all'])
    expect(catalogue.resolve(['a:read', 'b:read']).names).toEqual(['a:read', 'b:read'])
    expect(catalogue.resolve(['b:read', 'a:*']).names).toEqual(['b:read', 'a:write', 'a:read'])
    expect(catalogue.resolve(['@staff']).names).toEqual(['a:write', 'a:read', 'c:all', 'b:read'])
  })

  test('resolve() appends implied scopes and removes duplicates', () => {
    expect(catalogue.resolve(['a:write', 'b:read', 'a:write']).names).toEqual(['a:write', 'b:read', 'a:read'])
  })

  test('resolve() follows implication chains and cycles of any length', () => {
    const ring = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`s${at}`, [`s${(at + 1) % 200}`]]))
    const round = compileCatalogue({ scopes: Object.fromEntries(Object.keys(ring).map((name) => [name, ''])), implies: ring })
    expect(round.resolve(['s7']).names).toHaveLength(200)
  })

  test('resolve() returns nothing for unknown or invalid grants', () => {
    const nothing: unknown[] = [
      [],
      ['gone'],
      ['@gone'],
      ['gone:*'],
      ['*'],
      ['A:READ'],
      [''],
      [null],
      [undefined],
      [7],
      [['a:read']],
      [{ toString: () => 'a:read' }],
    ]
    for (const grants of [...nothing, null, undefined, 'a:read', {}, { length: 1, 0: 'a:read' }, 7]) {
      expect(catalogue.resolve(grants as string[]).names).toEqual([])
    }
  })

  test('resolve() does not find names inherited from Object.prototype', () => {
    const inherited = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '@__proto__', '@constructor']
    expect(catalogue.resolve(inherited).names).toEqual([])
    for (const name of inherited) expect(catalogue.resolve(['a:*']).has(name)).toBe(false)
  })

  test('resolve() returns a frozen set', () => {
    const set = catalogue.resolve(['a:*'])
    expect(Object.isFrozen(set) && Object.isFrozen(set.names)).toBe(true)
    expect(() => (set.names as string[]).push('c:all')).toThrow(TypeError)
    expect(Object.isFrozen(catalogue) && Object.isFrozen(catalogue.names)).toBe(true)
  })

  test('resolve() detects changes to a list that it has resolved before', () => {
    const grants = ['b:read']
    expect(catalogue.resolve(grants).has('a:read')).toBe(false)
    grants.push('a:read')
    expect(catalogue.resolve(grants).has('a:read')).toBe(true)
    grants.length = 0
    expect(catalogue.resolve(grants).names).toEqual([])
  })

  test('resolve() shares the set of equal grants and distinguishes lists that look alike when joined', () => {
    expect(catalogue.resolve(['a:read', 'b:read'])).toBe(catalogue.resolve(['a:read', 'b:read']))
    for (const separator of [',', ' ', '\n', '\u0000', '","', '|']) {
      expect(catalogue.resolve(['a:read', 'b:read']).names).toHaveLength(2)
      expect(catalogue.resolve([`a:read${separator}b:read`]).names).toEqual([])
    }
  })

  test('resolve() stays correct with more different lists than it caches', () => {
    for (let at = 0; at < 5000; at++) expect(catalogue.resolve(['a:read', `gone:${at}`]).names).toEqual(['a:read'])
    const long = Array.from({ length: 500 }, (_, at) => `gone:${at}`)
    expect(catalogue.resolve([...long, 'b:read']).names).toEqual(['b:read'])
  })

  test('resolve() returns the closure of what the grants cover, for any catalogue', () => {
    const name = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join(':'))
    const shape = fc.uniqueArray(name, { minLength: 1, maxLength: 12 }).chain((names) => {
      const some = fc.subarray(names)
      const grants = fc.array(
        fc.oneof(
          name,
          name.map((text) => `${text}:*`),
          fc.constantFrom('@g', '*'),
        ),
        { maxLength: 5 },
      )
      return fc.record({
        names: fc.constant(names),
        group: some,
        implies: fc.dictionary(fc.constantFrom(...names), some),
        grants,
        allowWildcard: fc.boolean(),
      })
    })
    fc.assert(
      fc.property(shape, ({ names, group, implies, grants, allowWildcard }) => {
        const built = compileCatalogue({
          scopes: Object.fromEntries(names.map((text) => [text, ''])),
          groups: { g: group },
          implies,
          allowWildcard,
        })
        const direct = grants.flatMap((grant) => (grant === '@g' ? group : [grant])).filter((grant) => grant !== '*' || allowWildcard)
        const expected = new Set(names.filter((text) => direct.some((grant) => covers(grant, text))))
        for (let before = -1; before !== expected.size; ) {
          before = expected.size
          for (const text of [...expected])
            for (const more of (Object.hasOwn(implies, text) ? implies[text] : undefined) ?? []) expected.add(more)
        }
        const set = built.resolve(grants)
        expect([...set.names].sort()).toEqual([...expected].sort())
        for (const text of names) expect(set.has(text)).toBe(expected.has(text))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('intersect', () => {
  const [some, more] = [catalogue.resolve(['a:read', 'b:read', 'c:all']), catalogue.resolve(['b:read', 'a:read'])]

  test('intersect() keeps scopes in both sets, in the order of the first set', () => {
    expect(catalogue.intersect(some, more).names).toEqual(['a:read', 'b:read'])
    expect(catalogue.intersect(more, some).names).toEqual(['b:read', 'a:read'])
    expect(catalogue.intersect(some, more).has('c:all')).toBe(false)
    expect(catalogue.intersect(some, catalogue.resolve([])).names).toEqual([])
    expect(catalogue.intersect(catalogue.resolve([]), some).names).toEqual([])
  })

  test('intersect() caches results per pair of sets', () => {
    expect(catalogue.intersect(some, more)).toBe(catalogue.intersect(some, more))
    expect(catalogue.intersect(some, catalogue.resolve(['c:all'])).names).toEqual(
      ['b:read', 'c:all'].filter((name) => some.names.includes(name)),
    )
  })

  test('intersect() works with a set from elsewhere', () => {
    const foreign: ScopeSet = { names: ['c:all'], has: (scope) => scope === 'c:all' }
    expect(catalogue.intersect(some, foreign).names).toEqual(['c:all'])
  })
})

test('large scope sets behave like small ones', () => {
  const many = compileCatalogue({ scopes: Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`m:s${at}`, ''])) })
  const set = many.resolve(['m:*'])
  expect(set.names).toHaveLength(500)
  expect([set.has('m:s0'), set.has('m:s499'), set.has('m:s500'), set.has('m'), set.has('__proto__')]).toEqual([
    true,
    true,
    false,
    false,
    false,
  ])
})

describe('grantable', () => {
  test('grantable() returns the first grant that the actor may not make', () => {
    expect(catalogue.grantable(['a:*'], ['a:read', 'b:read', 'c:all'], [])).toBe('b:read')
    expect(catalogue.grantable([], ['a:read'], [])).toBe('a:read')
    expect(catalogue.grantable(['a:*'], [], [])).toBeUndefined()
  })

  test('grantable() allows grants that are already present verbatim', () => {
    expect(catalogue.grantable(['b:read'], ['c:all', 'b:read'], ['c:all'])).toBeUndefined()
    expect(catalogue.grantable(['b:read'], ['a:read'], ['a:*'])).toBe('a:read')
    expect(catalogue.grantable([], ['@staff'], ['@staff'])).toBeUndefined()
    expect(catalogue.grantable([], ['a:*'], ['@staff'])).toBe('a:*')
  })

  test("an actor's grants never exceed the actor's scopes, even after catalogue and groups grow", () => {
    const before = {
      scopes: { 'a:x': '', 'a:y': '', 'b:x': '', c: '' },
      groups: { g: ['a:x'], h: ['b:*'] },
      implies: { 'a:y': ['c'] },
      allowWildcard: true,
    }
    const after = {
      scopes: { ...before.scopes, 'a:new': '', 'b:new:z': '', d: '', __proto__: '' },
      groups: { g: ['a:x', 'b:new:z', 'd'], h: ['b:*', 'a:*'] },
      implies: { 'a:y': ['c', 'd'], 'b:x': ['a:new'] },
      allowWildcard: true,
    }
    const [today, tomorrow] = [compileCatalogue(before), compileCatalogue(after)]
    // Groups only grow here: if an actor's group lost members, earlier grants by name would remain.
    const grant = fc.constantFrom('a:x', 'a:y', 'b:x', 'c', 'a:*', 'b:*', 'b:new:*', '*', '@g', '@h', 'junk', '@junk')
    fc.assert(
      fc.property(fc.array(grant, { maxLength: 4 }), grant, (held, wanted) => {
        if (today.grantable(held, [wanted], []) !== undefined) return
        for (const now of [today, tomorrow]) {
          const own = now.resolve(held)
          expect(now.resolve([wanted]).names.filter((name) => !own.has(name))).toEqual([])
        }
      }),
      { numRuns: 3000 },
    )
  })
})
