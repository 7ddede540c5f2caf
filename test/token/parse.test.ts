import { describe, expect, test } from 'vitest'
import { createParser, isPrefix, isTokenId, parseAnyToken } from '../../src/token/parse.js'
import { fc } from '../support/property.js'
import vectors from './vectors.json' with { type: 'json' }

const all = [...vectors.plain, ...vectors.peppered]
const parse = createParser('acme_live')
const token = vectors.plain[0]?.token ?? ''

test('parses the frozen vectors into their parts', () => {
  for (const { prefix, id, secret, token } of all) {
    const expected = { id, body: `${prefix}_${id}_${secret}`, token }
    expect(createParser(prefix)(token)).toEqual(expected)
    expect(parseAnyToken(token)).toEqual({ prefix, ...expected })
  }
})

test('refuses tokens of other prefixes, even of prefixes with the same beginning or end', () => {
  for (const prefix of ['acme', 'acme_liv', 'acme_lives', 'acme_live_x', 'live', 'x_acme_live', 'acmeXlive', 'acme_test']) {
    expect(createParser(prefix)(token), prefix).toBeUndefined()
  }
})

test('parses a token from the right, even if its parts look alike', () => {
  // The prefix ends like an ID, and the ID and the secret consist of letters of the prefix.
  const prefix = 'a_aaaaaaaaaaaaaaaa'
  const text = `${prefix}_${'a'.repeat(16)}_${'a'.repeat(49)}`
  expect(createParser(prefix)(text)?.id).toBe('a'.repeat(16))
  expect(parseAnyToken(text)?.prefix).toBe(prefix)
})

test('refuses a token that is too short or too long, before hashing', () => {
  for (const length of [0, 1, 66, 67, 74, 75]) expect(parse(token.slice(0, length)), `${length}`).toBeUndefined()
  for (const more of ['0', 'a', 'Z', '_', '00', token]) {
    expect(parse(token + more)).toBeUndefined()
    expect(parse(more + token)).toBeUndefined()
    expect(parse(token.slice(0, 30) + more + token.slice(30))).toBeUndefined()
  }
})

test('refuses a wrong character in any position of a token', () => {
  for (let at = 0; at < token.length; at++) {
    // The prefix is followed by `_`, 16 characters of the ID, and `_` again.
    const separator = at < 10 || at === 26
    for (const char of separator
      ? ['a', '0', '-', ' ', '\u0000', 'é']
      : ['_', '-', ' ', '.', '/', ':', '@', '[', '`', '{', '\u0000', 'é', '\u212a']) {
      if (char !== token.charAt(at)) expect(parse(token.slice(0, at) + char + token.slice(at + 1)), `${char} at ${at}`).toBeUndefined()
    }
  }
})

test('recognizes a valid token ID', () => {
  expect([token.slice(10, 26), '0'.repeat(16)].every(isTokenId)).toBe(true)
  const none = [
    '',
    'a'.repeat(15),
    'a'.repeat(17),
    `${'a'.repeat(15)}_`,
    `${'a'.repeat(15)}é`,
    '../../etc/passwd',
    undefined,
    null,
    7,
    ['a'.repeat(16)],
  ]
  expect(none.filter((id) => isTokenId(id))).toEqual([])
})

describe('hostile input', () => {
  const getter = Object.defineProperty({}, 'length', {
    get: () => {
      throw new Error('do not look')
    },
  })
  const proxy = new Proxy(() => token, {
    get: () => {
      throw new Error('do not look')
    },
  })
  const { proxy: revoked, revoke } = Proxy.revocable({}, {})
  revoke()
  const inputs: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['a number', 76],
    ['NaN', Number.NaN],
    ['a bigint', 1n],
    ['a boolean', true],
    ['a symbol', Symbol('token')],
    ['a String object', new String(token)],
    ['a list with the token', [token]],
    ['an object that converts to the token', { toString: () => token, length: token.length }],
    ['an object with a throwing getter', getter],
    ['a throwing proxy', proxy],
    ['a revoked proxy', revoked],
    ['a Buffer', Buffer.from(token)],
    ['empty text', ''],
    ['a huge string', 'acme_live_'.repeat(1_000_000)],
    ['a leading space', ` ${token}`],
    ['a trailing line break', `${token}\n`],
    ['a NUL inside', token.replace('_live_', '_live\u0000')],
    ['a hyphen instead of an underscore', token.replace('acme_live_', 'acme_live-')],
    ['full-width letters', token.replace('c6w4', 'ｃ6w4')],
    ['a letter that only folds to ASCII', token.replace('k', '\u212a')],
    ['a lone surrogate', `${token.slice(0, -1)}\ud800`],
    ['upper case', token.toUpperCase()],
    ['base64url characters', `${token.slice(0, -3)}-_=`],
  ]
  test.each(inputs)('finds no token in hostile input and does not throw: %s', (_name, input) => {
    expect(parse(input)).toBeUndefined()
    expect(parseAnyToken(input)).toBeUndefined()
  })

  test('finds no token in any value from fast-check and does not throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything({ withNullPrototype: true, withSparseArray: true }), fc.string({ unit: 'binary', maxLength: 120 })),
        (input) => {
          expect(parse(input)).toBeUndefined()
          expect(parseAnyToken(input)).toBeUndefined()
        },
      ),
      { numRuns: 1000 },
    )
  })
})

test('recognizes a valid token prefix', () => {
  const good = ['a', 'acme', 'acme_live', 'x9_y8_z7', 'v2', 'acme_2', 'a_b_c_d', 'a'.repeat(24)]
  const bad = ['', '_', '_a', 'a_', 'a__b', 'A', 'acmeLive', '9a', 'a-b', 'a b', 'a\n', 'é', 'a'.repeat(25), undefined, null, 7, ['a']]
  expect(good.filter((prefix) => !isPrefix(prefix))).toEqual([])
  expect(bad.filter((prefix) => isPrefix(prefix))).toEqual([])
})
