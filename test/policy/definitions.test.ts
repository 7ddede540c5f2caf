import { describe, expect, test } from 'vitest'
import { type CatalogueOptions, compileCatalogue } from '../../src/policy/catalogue.js'

const scopes = { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' }
const own = (name: string, value: unknown): object =>
  JSON.parse(JSON.stringify({ name: 0 }).replace('"name":0', `${JSON.stringify(name)}:${JSON.stringify(value)}`))
const refused = (field: string, message: RegExp = /./) =>
  expect.objectContaining({ code: 'invalid_input', field, message: expect.stringMatching(message) })

describe('compileCatalogue() rejects invalid options and names the entry', () => {
  const bad: [string, CatalogueOptions, string, RegExp?][] = [
    ['no scopes', { scopes: undefined }, 'scopes'],
    ['null', { scopes: null }, 'scopes'],
    ['a list of scopes', { scopes: ['inventory:read'] }, 'scopes', /must be an object/],
    ['a Map of scopes', { scopes: new Map([['inventory:read', 'x']]) }, 'scopes', /must be an object/],
    [
      'a class instance',
      {
        scopes: new (class {
          a = 'x'
        })(),
      },
      'scopes',
    ],
    ['text', { scopes: 'inventory:read' }, 'scopes'],
    ['upper case', { scopes: { 'inventory:Read': 'x' } }, 'scopes.inventory:Read', /segments/],
    ['a wildcard in the catalogue', { scopes: { 'inventory:*': 'x' } }, 'scopes.inventory:*'],
    ['the bare wildcard in the catalogue', { scopes: { '*': 'x' } }, 'scopes.*'],
    ['an empty name', { scopes: { '': 'x' } }, 'scopes.'],
    ['an empty segment', { scopes: { 'a::b': 'x' } }, 'scopes.a::b'],
    ['a name of 129 characters', { scopes: { ['a'.repeat(129)]: 'x' } }, `scopes.${'a'.repeat(64)}…`],
    ['a description that is not text', { scopes: { a: 7 } }, 'scopes.a', /description/],
    ['a nested catalogue', { scopes: { inventory: { read: 'x' } } }, 'scopes.inventory', /description/],
    ['a list of groups', { scopes, groups: [] }, 'groups'],
    ['a group that is text', { scopes, groups: { staff: 'inventory:read' } }, 'groups.staff', /list/],
    ['a group with @ in its name', { scopes, groups: { '@staff': [] } }, 'groups.@staff', /the @ belongs/],
    [
      'a group with an unknown scope',
      { scopes, groups: { staff: ['inventory:read', 'billing:read'] } },
      'groups.staff.1',
      /not in the catalogue/,
    ],
    ['a group with a typo', { scopes, groups: { staff: ['inventory:raed'] } }, 'groups.staff.0', /did you mean "inventory:read"/],
    ['a group with a wildcard that covers nothing', { scopes, groups: { staff: ['billing:*'] } }, 'groups.staff.0', /matches no scope/],
    ['a group in a group', { scopes, groups: { all: ['inventory:*'], staff: ['@all'] } }, 'groups.staff.0', /not other groups/],
    ['a group in itself', { scopes, groups: { staff: ['@staff'] } }, 'groups.staff.0', /not other groups/],
    ['a group with * that is not allowed', { scopes, groups: { staff: ['*'] } }, 'groups.staff.0', /allowWildcard/],
    ['a group with a number', { scopes, groups: { staff: [7] } }, 'groups.staff.0'],
    ['a sparse group', { scopes, groups: { staff: new Array(1) } }, 'groups.staff.0'],
    ['a list of implications', { scopes, implies: [] }, 'implies'],
    [
      'an implication by an unknown scope',
      { scopes, implies: { 'inventory:wriet': ['inventory:read'] } },
      'implies.inventory:wriet',
      /did you mean "inventory:write"/,
    ],
    [
      'an implied unknown scope',
      { scopes, implies: { 'inventory:write': ['billing:read'] } },
      'implies.inventory:write.0',
      /not in the catalogue/,
    ],
    [
      'an implied wildcard',
      { scopes, implies: { 'inventory:write': ['inventory:*'] } },
      'implies.inventory:write.0',
      /not in the catalogue/,
    ],
    ['a wildcard that implies scopes', { scopes, implies: { 'inventory:*': ['inventory:read'] } }, 'implies.inventory:*'],
    ['an implied group', { scopes, groups: { all: [] }, implies: { 'inventory:write': ['@all'] } }, 'implies.inventory:write.0'],
    ['a string as an implication', { scopes, implies: { 'inventory:write': 'inventory:read' } }, 'implies.inventory:write', /list/],
    ['an implication of __proto__', { scopes, implies: own('__proto__', ['inventory:read']) }, 'implies.__proto__'],
    ['an implication of constructor', { scopes, implies: { constructor: ['inventory:read'] } }, 'implies.constructor'],
    ['a string as allowWildcard', { scopes, allowWildcard: 'false' }, 'allowWildcard'],
  ]
  test.each(bad)('compileCatalogue() rejects %s and names the entry', (_name, options, field, message) => {
    expect(() => compileCatalogue(options)).toThrow(refused(field, message))
  })
})

test('names of inherited object properties are ordinary scopes and groups', () => {
  const odd = { ...scopes, constructor: 'x', ...own('__proto__', 'x') }
  const names = Object.assign(Object.create(null), scopes, { constructor: 'x' })
  Object.defineProperty(names, '__proto__', { value: 'x', enumerable: true })
  expect(Object.keys(odd)).toContain('constructor')
  const catalogue = compileCatalogue({
    scopes: names,
    groups: own('__proto__', ['inventory:read', '__proto__']),
    implies: own('__proto__', ['constructor']),
  })
  expect(catalogue.resolve(['__proto__']).names).toEqual(['__proto__', 'constructor'])
  expect(catalogue.resolve(['@__proto__']).names).toEqual(['inventory:read', '__proto__', 'constructor'])
  expect(catalogue.resolve(['@constructor']).names).toEqual([])
})

test('an empty catalogue is valid: its tokens only identify their holders', () => {
  expect(compileCatalogue({ scopes: {} }).names).toEqual([])
})

test('later changes to the options do not change the catalogue', () => {
  const options = { scopes: { ...scopes } as Record<string, string>, groups: { staff: ['inventory:read'] } }
  const catalogue = compileCatalogue(options)
  options.groups.staff.push('inventory:write')
  options.scopes.more = 'x'
  expect(catalogue.resolve(['@staff', 'more']).names).toEqual(['inventory:read'])
})

describe('whyNotGrantable', () => {
  const catalogue = compileCatalogue({ scopes, groups: { staff: ['inventory:*'] } })
  test.each(['inventory:read', 'inventory:*', '@staff'])('whyNotGrantable() accepts %s', (grant) => {
    expect(catalogue.whyNotGrantable(grant)).toBeUndefined()
  })
  const problems: [unknown, RegExp][] = [
    ['inventory:raed', /not in the catalogue; did you mean "inventory:read"\?/],
    ['Inventory:Read', /not a valid scope.*did you mean "inventory:read"\?/],
    ['inventory:delete-everything', /not in the catalogue$/],
    ['billing:*', /matches no scope/],
    ['inventory:read:*', /matches no scope/],
    ['staff', /"staff" is a group: write "@staff"/],
    ['@stuff', /the group "@stuff" does not exist; did you mean "@staff"\?/],
    ['@__proto__', /does not exist/],
    ['__proto__', /not in the catalogue/],
    ['constructor', /not in the catalogue/],
    ['*', /allowWildcard/],
    ['', /not a valid scope/],
    ['inventory:', /not a valid scope/],
    [null, /not null/],
    [undefined, /not undefined/],
    [7, /not 7/],
    [Symbol('a'), /type symbol/],
    [['inventory:read'], /a list/],
    [{ toString: () => 'inventory:read' }, /type object/],
  ]
  test.each(problems)('whyNotGrantable() explains why %s cannot be granted: %s', (grant, message) => {
    expect(catalogue.whyNotGrantable(grant)).toMatch(message)
  })

  test('whyNotGrantable() is brief for a long grant and does not repeat a pasted token', () => {
    expect(catalogue.whyNotGrantable('a'.repeat(5_000_000))?.length).toBeLessThan(250)
    const secret = 'pHk82J7SdVbmHv2PCggppN3U4PmcgphSGMXr3CJoeuf3CYcSx'
    expect(catalogue.whyNotGrantable(`acme_live_c6w4G5BC9wx2juOQ_${secret}`)).not.toContain(secret.slice(0, 12))
  })

  test('whyNotGrantable() accepts * if allowWildcard is set', () => {
    expect(compileCatalogue({ scopes, allowWildcard: true }).whyNotGrantable('*')).toBeUndefined()
  })
})
