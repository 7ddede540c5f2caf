import { bcryptTokens, plainTokens } from 'latchkey/import'
import { describe, expect, it } from 'vitest'
import { createManagement } from '../../src/management/index.js'
import { VECTORS } from './vectors.js'
import { accepting, IMPORT_KEY } from './world.js'

const actor = { id: 'root', tenants: '*', manages: 'all' } as const

describe('the shape of a format', () => {
  it.each(VECTORS)('finds tokens of a format in text: $format.name', ({ format, token, wrong }) => {
    if (format.shape === undefined) return expect(format.name).toBe('reversed')
    for (const text of [token, wrong]) expect(`see ${text} here`.replace(new RegExp(format.shape), '')).toBe('see  here')
    for (const name of ['Warehouse sync', 'sk_', 'the-key-of-the-nightly-job', 'acme', '4kQ0tXb2LrVn8ZcD']) {
      expect([name, new RegExp(format.shape).test(name)]).toEqual([name, false])
    }
  })

  it('the shape of a format matches special characters of its prefix literally', () => {
    const { shape = '' } = plainTokens({ prefix: 'a.b|$+', length: 20 })
    expect(new RegExp(shape).test('a.b|$+0123456789abcd')).toBe(true)
    expect(new RegExp(shape).test('axb|$+0123456789abcd')).toBe(false)
  })

  it('the shape finds a long imported token that a field truncated, but not a short word after a prefix', () => {
    const long = new RegExp(plainTokens({ prefix: 'key_', length: 300 }).shape ?? '')
    expect(long.test(`key_${'x'.repeat(196)}`)).toBe(true)
    const open = new RegExp(bcryptTokens({ compare: () => true, prefix: 'key_', keyLength: 8 }).shape ?? '')
    expect([open.test('key_warehouse'), open.test('key_0123456789abcdef')]).toEqual([false, true])
  })

  it('GET /me returns the shape of each format, a loose shape for a format without a pattern, and how tokens are sent', async () => {
    const meOf = async (formats: readonly (typeof VECTORS)[number]['format'][], options: object): Promise<object> => {
      const tokens = accepting(formats)
      const answer = await createManagement(tokens, options).fetch(new Request('http://a.test/t/me'), { actor: () => actor }, '/t')
      return (await answer.json()) as object
    }
    const [first, ...rest] = VECTORS.map(({ format }) => format)
    if (first === undefined) throw new Error('no format')
    expect(IMPORT_KEY.length).toBeGreaterThan(31)
    expect(await meOf([first], {})).toMatchObject({ importedShapes: [first.shape], sentIn: { header: 'Authorization', scheme: 'Bearer' } })
    const own = rest.filter(({ shape }) => shape === undefined)
    const { importedShapes } = (await meOf(own, { credential: { header: 'X-Api-Key' } })) as { importedShapes: string[] }
    expect(new RegExp(importedShapes[0] ?? '').test('k_1a2b3c4d_0123456789abcdef0123456789abcdef')).toBe(true)
    expect(new RegExp(importedShapes[0] ?? '').test('Donaudampfschifffahrtsgesellschaft')).toBe(false)
    expect(await meOf(own, { credential: [{ header: 'X-Api-Key' }, 'bearer'] })).toMatchObject({ sentIn: { header: 'X-Api-Key' } })
    expect(await meOf(own, { credential: 'basic' })).toMatchObject({ sentIn: { header: 'Authorization', scheme: 'Basic' } })
  })
})

describe('the `imports` option', () => {
  it.each(['(', '', 7])('refuses a format whose shape is not a regular expression: %s', (shape) => {
    const format = { ...plainTokens({ prefix: 'key_' }), shape: shape as string }
    expect(() => accepting([format])).toThrow(/latchkey\/import/)
  })
})
