import { describe, expect, test } from 'vitest'
import { BASE62 } from '../../src/token/alphabet.js'
import { checksumMatches } from '../../src/token/checksum.js'
import { createDigesters } from '../../src/token/digest.js'
import { generateId, mintToken } from '../../src/token/generate.js'
import { createParser, isPrefix, parseAnyToken } from '../../src/token/parse.js'
import { fc } from '../support/property.js'
import { seeded } from './seeded.js'

const word = fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789'), minLength: 1, maxLength: 8 })
const prefixes = fc
  .array(word, { minLength: 1, maxLength: 4 })
  .map((words) => words.join('_'))
  .filter(isPrefix)
const peppers = fc.constantFrom([], ['a pepper of at least thirty-two characters'])
const minted = fc.record({ prefix: prefixes, peppers, seed: fc.nat() })

// A checksum has 32 bits, so a wrong token passes once in four billion tries. A fixed seed keeps the tests from finding one.
const runs = { numRuns: 20, seed: 20_260_101 }

function mint(input: { prefix: string; peppers: readonly string[]; seed: number }) {
  const random = seeded(input.seed)
  const [digester] = createDigesters(input.peppers)
  const id = generateId(random)
  const parse = createParser(input.prefix)
  const { token, digest } = mintToken(input.prefix, id, digester, random)
  /** Decides about a token as far as a server can without its store. */
  const accepts = (candidate: string): boolean => {
    const parsed = parse(candidate)
    return parsed !== undefined && checksumMatches(candidate, digester.digest(parsed.body))
  }
  return { id, token, digest, digester, parse, accepts }
}

test('parses a new token into its parts, and matches the stored digest and the checksum', () => {
  fc.assert(
    fc.property(minted, (input) => {
      const { id, token, digest, digester, parse, accepts } = mint(input)
      const parsed = parse(token)
      expect(parsed?.id).toBe(id)
      expect(parseAnyToken(token)).toEqual({ prefix: input.prefix, ...parsed })
      expect(digester.digest(parsed?.body ?? '')).toBe(digest)
      expect(token).toHaveLength(input.prefix.length + 67)
      expect(token).toMatch(/^[0-9A-Za-z_]+$/)
      expect(accepts(token)).toBe(true)
    }),
    { ...runs, numRuns: 500 },
  )
})

/** The kinds of typing mistakes. Each function yields every text that one such mistake can produce. */
const slips: Record<string, (token: string) => Iterable<string>> = {
  *change(token) {
    for (let at = 0; at < token.length; at++) {
      for (const char of [...BASE62, '_', '-', ' ', 'é']) yield token.slice(0, at) + char + token.slice(at + 1)
    }
  },
  *deletion(token) {
    for (let at = 0; at < token.length; at++) yield token.slice(0, at) + token.slice(at + 1)
  },
  *insertion(token) {
    for (let at = 0; at <= token.length; at++) {
      for (const char of [...BASE62, '_', ' ', '\n']) yield token.slice(0, at) + char + token.slice(at)
    }
  },
  *swap(token) {
    for (let one = 0; one < token.length; one++) {
      for (let two = one + 1; two < token.length; two++) {
        yield token.slice(0, one) + token.charAt(two) + token.slice(one + 1, two) + token.charAt(one) + token.slice(two + 1)
      }
    }
  },
  *'case flip'(token) {
    for (let at = 0; at < token.length; at++) {
      const char = token.charAt(at)
      yield token.slice(0, at) + (char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase()) + token.slice(at + 1)
    }
    yield token.toUpperCase()
    yield token.toLowerCase()
  },
}

describe.each(Object.entries(slips))('a token with one %s', (_name, slip) => {
  test('refuses every token with a single typo, without a store call', () => {
    fc.assert(
      fc.property(minted, (input) => {
        const { token, accepts } = mint(input)
        let tried = 0
        for (const candidate of slip(token)) {
          if (candidate === token) continue
          tried++
          if (accepts(candidate)) throw new Error(`accepted ${candidate} for ${token}`)
        }
        expect(tried).toBeGreaterThan(10)
      }),
      runs,
    )
  })
})

test('refuses a token of one pepper with another pepper or without one', () => {
  fc.assert(
    fc.property(minted, (input) => {
      const { token, parse } = mint(input)
      const strangers = [
        ...createDigesters(['another pepper of at least thirty-two characters']),
        ...(input.peppers.length > 0 ? createDigesters([]) : []),
      ]
      for (const stranger of strangers) expect(checksumMatches(token, stranger.digest(parse(token)?.body ?? ''))).toBe(false)
    }),
    runs,
  )
})
