import { describe, expect, it } from 'vitest'
import { parseStrictJson } from '../../src/management/json.js'
import { fc } from '../support/property.js'

const key = fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => !['__proto__', 'constructor', 'prototype'].includes(text))
const value = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 5 },
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('"', '\\', '{"a":1,"a":2}', ',', ':', '}', '\\"'),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
    fc.constantFrom(null, true, false),
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(key, tie('node'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).node

describe('strict JSON', () => {
  it('parseStrictJson() returns what JSON.parse returns for any value', () => {
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 2, '\t'), (input, indent) => {
        expect(parseStrictJson(JSON.stringify(input, undefined, indent))).toEqual(JSON.parse(JSON.stringify(input)))
      }),
    )
  })

  it('parseStrictJson() rejects a repeated key in any object at any depth', () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { minLength: 1, maxLength: 5 }), fc.nat(), value, fc.nat({ max: 6 }), (keys, pick, filler, depth) => {
        const twice = keys[pick % keys.length]
        const members = [...keys, twice].map((name) => `${JSON.stringify(name)}: ${JSON.stringify(filler)}`)
        const text = `${'[0,{"x":'.repeat(depth)}{${members.join(' , ')}}${'}]'.repeat(depth)}`
        expect(() => parseStrictJson(text)).toThrow(/appears twice|deeper/)
      }),
    )
  })

  it('parseStrictJson() throws only invalid_input', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', 'u', '0', ' ', 'a'), maxLength: 30 }),
        (text) => {
          try {
            parseStrictJson(text)
          } catch (error) {
            expect(error).toMatchObject({ code: 'invalid_input' })
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
