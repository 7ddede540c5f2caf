import { describe, expect, test } from 'vitest'
import type { Resources } from '../../src/model/json.js'
import { type AskedResources, readResources, resourcesAllow, resourcesWithin } from '../../src/policy/resource.js'
import { fc } from '../support/property.js'

const refused = (field: string, message: RegExp = /./) =>
  expect.objectContaining({ code: 'invalid_input', field, message: expect.stringMatching(message) })

const protoKey = (value: unknown): object => JSON.parse(`{"__proto__":${JSON.stringify(value)}}`)

describe('resourcesAllow', () => {
  const allow = (granted: unknown, asked: unknown) => resourcesAllow(granted as Resources | undefined, asked as AskedResources | undefined)

  test('resourcesAllow() accepts a request for no resource', () => {
    expect(allow({ warehouse: [] }, undefined)).toBe(true)
    expect(allow({ warehouse: [] }, {})).toBe(true)
  })

  test('resourcesAllow() rejects an invalid request even for an unrestricted token', () => {
    const throwing = Object.defineProperty({}, 'warehouse', {
      enumerable: true,
      get: () => {
        throw new Error('no')
      },
    })
    for (const asked of [null, 'w1', 7, true, ['w1'], throwing]) expect(allow(undefined, asked)).toBe(false)
    for (const value of [
      undefined,
      null,
      '',
      7,
      Number.NaN,
      true,
      {},
      [],
      [''],
      ['w1', undefined],
      ['w1', 7],
      [['w1']],
      new Array(1),
      new String('w1'),
    ]) {
      expect(allow(undefined, { warehouse: value })).toBe(false)
      expect(allow({ warehouse: ['w1', ''] }, { warehouse: value })).toBe(false)
    }
  })

  test("resourcesAllow() rejects every request if the token's resources are corrupt", () => {
    for (const granted of [
      null,
      'w1',
      7,
      true,
      ['w1'],
      [],
      { warehouse: 'w1' },
      { warehouse: null },
      { warehouse: undefined },
      { warehouse: { w1: true } },
    ]) {
      expect(allow(granted, { warehouse: 'w1' })).toBe(false)
    }
  })

  test('resourcesAllow() ignores inherited dimensions', () => {
    expect(allow({}, { constructor: 'x' })).toBe(true)
    expect(allow(Object.create({ warehouse: ['w1'] }), { warehouse: 'w2' })).toBe(true)
    expect(allow({ warehouse: ['w1'] }, Object.create({ warehouse: 'w2' }))).toBe(true)
    expect(allow(protoKey(['w1']), protoKey('w2'))).toBe(false)
    expect(allow(protoKey(['w1']), protoKey('w1'))).toBe(true)
  })
})

describe('resourcesWithin', () => {
  const within = (inner: unknown, outer: unknown) => resourcesWithin(inner as Resources | undefined, outer as Resources | undefined)

  test('resourcesWithin() accepts narrower or equal resources and rejects wider resources', () => {
    const outer = { warehouse: ['w1', 'w2'] }
    expect(within(outer, outer)).toBe(true)
    expect(within({ warehouse: ['w1'] }, outer)).toBe(true)
    expect(within({ warehouse: [] }, outer)).toBe(true)
    expect(within({ warehouse: ['w1'], shop: ['s1'] }, outer)).toBe(true)
    expect(within({ warehouse: ['w3'] }, outer)).toBe(false)
    expect(within({ shop: ['s1'] }, outer)).toBe(false)
    expect(within({}, outer)).toBe(false)
    expect(within(undefined, outer)).toBe(false)
    expect(within(undefined, undefined)).toBe(true)
    expect(within({}, {})).toBe(true)
    expect(within(undefined, {})).toBe(true)
  })

  test('resourcesWithin() rejects corrupt resources on either side', () => {
    for (const junk of [null, 'w1', ['w1'], { warehouse: 'w1' }, { warehouse: null }, { warehouse: [7] }]) {
      expect(within(junk, { warehouse: ['w1'] })).toBe(false)
      expect(within({ warehouse: ['w1'] }, junk)).toBe(false)
    }
    expect(within(Object.create({ warehouse: ['w1'] }), { warehouse: ['w1'] })).toBe(false)
  })

  test('resourcesWithin() accepts inner resources only if the outer resources allow everything that the inner resources allow', () => {
    const value = fc.constantFrom('x', 'y', 'z')
    const resources = fc.option(fc.dictionary(fc.constantFrom('a', 'b'), fc.uniqueArray(value)), { nil: undefined })
    const values = ['x', 'y', 'z', 'other']
    const questions = values.flatMap((a) => values.flatMap((b) => [{ a }, { b }, { a, b }]))
    fc.assert(
      fc.property(resources, resources, (inner, outer) => {
        const escapes = questions.some((asked) => resourcesAllow(inner, asked) && !resourcesAllow(outer, asked))
        if (resourcesWithin(inner, outer)) expect(escapes).toBe(false)
        // If no list is empty, the converse holds too.
        else if (Object.values(inner ?? {}).every((list) => list.length > 0)) expect(escapes).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('readResources', () => {
  test('readResources() copies, freezes and deduplicates resources', () => {
    const input = { warehouse: ['w1', 'w2', 'w1'], 'shop.id': [], toString: ['😀', ' a ', "'%_\\*"] }
    const resources = readResources('resources', input)
    input.warehouse.push('w3')
    expect(resources).toEqual({ warehouse: ['w1', 'w2'], 'shop.id': [], toString: ['😀', ' a ', "'%_\\*"] })
    expect(Object.isFrozen(resources) && Object.values(resources).every(Object.isFrozen)).toBe(true)
    expect(readResources('resources', Object.assign(Object.create(null), { a: ['b'] }))).toStrictEqual({ a: ['b'] })
  })

  const bad: [string, unknown, string][] = [
    ['undefined', undefined, 'resources'],
    ['null', null, 'resources'],
    ['a string', 'w1', 'resources'],
    ['a list', ['w1'], 'resources'],
    ['a Map', new Map([['warehouse', ['w1']]]), 'resources'],
    [
      'a class instance',
      new (class {
        warehouse = ['w1']
      })(),
      'resources',
    ],
    ['an empty dimension', { '': ['w1'] }, 'resources'],
    ['a dimension with a space', { 'ware house': ['w1'] }, 'resources'],
    ['a dimension of 65 characters', { ['a'.repeat(65)]: ['w1'] }, 'resources'],
    ['__proto__', protoKey(['w1']), 'resources'],
    ['constructor, which a signed token cannot carry', { constructor: ['w1'] }, 'resources'],
    ['prototype, which a signed token cannot carry', { prototype: ['w1'] }, 'resources'],
    ['a symbol', { [Symbol('warehouse')]: ['w1'] }, 'resources'],
    ['text where a list should be', { warehouse: 'w1' }, 'resources.warehouse'],
    ['null where a list should be', { warehouse: null }, 'resources.warehouse'],
    ['undefined where a list should be', { warehouse: undefined }, 'resources.warehouse'],
    ['a Set where a list should be', { warehouse: new Set(['w1']) }, 'resources.warehouse'],
    ['a number among the values', { warehouse: ['w1', 7] }, 'resources.warehouse.1'],
    ['an empty value', { warehouse: [''] }, 'resources.warehouse.0'],
    ['a hole', { warehouse: new Array(2) }, 'resources.warehouse.0'],
    ['a value of 257 characters', { warehouse: ['a'.repeat(257)] }, 'resources.warehouse.0'],
    ['a NUL', { warehouse: ['a\u0000'] }, 'resources.warehouse.0'],
    ['a line break', { warehouse: ['a\nb'] }, 'resources.warehouse.0'],
    ['half a surrogate pair', { warehouse: ['a\ud83d'] }, 'resources.warehouse.0'],
    ['one value too many', { warehouse: Array.from({ length: 1001 }, (_, at) => `w${at}`) }, 'resources.warehouse'],
    [
      'too many values in total',
      { a: Array.from({ length: 501 }, (_, at) => `${at}`), b: Array.from({ length: 500 }, (_, at) => `${at}`) },
      'resources',
    ],
    ['too many dimensions', Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`d${at}`, []])), 'resources'],
  ]
  test.each(bad)('readResources() rejects %s and names the entry', (_name, input, field) => {
    expect(() => readResources('resources', input)).toThrow(refused(field))
  })

  test('readResources() accepts resources up to its limits', () => {
    const dimensions = Object.fromEntries(
      Array.from({ length: 50 }, (_, at) => [
        `d${at}`,
        Array.from({ length: 20 }, (_, value) => `${value}`.padEnd(value === 0 ? 256 : 50, 'x')),
      ]),
    )
    expect(readResources('resources', dimensions)).toEqual(dimensions)
    const tooLarge = { warehouse: Array.from({ length: 1000 }, (_, value) => `${value}`.padEnd(63, 'x')) }
    expect(() => readResources('resources', tooLarge)).toThrow(refused('resources'))
  })

  test('readResources() reads or rejects any input with the field name', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withMap: true, withSparseArray: true }), (input) => {
        try {
          expect(readResources('resources', readResources('resources', input))).toEqual(readResources('resources', input))
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_input', field: expect.stringMatching(/^resources/) })
        }
      }),
      { numRuns: 1000 },
    )
  })
})
