import { expect, test } from 'vitest'
import { quote } from '../../src/policy/quote.js'

test('quote() shows short values on one line, and only the type of others', () => {
  expect(quote('two\nlines "quoted"')).toBe('"two\\nlines \\"quoted\\""')
  expect([quote(7), quote(Number.NaN), quote(null), quote(undefined), quote(false)]).toEqual(['7', 'NaN', 'null', 'undefined', 'false'])
  expect([quote([1]), quote({}), quote(Symbol('x')), quote(1n), quote(() => 1)]).toEqual([
    'a list',
    'a value of type object',
    'a value of type symbol',
    'a value of type bigint',
    'a value of type function',
  ])
})

test('quote() shows characters that control a terminal or reorder text as escapes', () => {
  expect(quote('a\u001b[2J\u009b31m\u007f\u202e\u{e0061}\u2028')).toBe('"a\\u001b[2J\\u{9b}31m\\u{7f}\\u{202e}\\u{e0061}\\u{2028}"')
})

test('quote() truncates long text', () => {
  expect(quote('x'.repeat(64))).toBe(`"${'x'.repeat(64)}"`)
  for (const length of [65, 255, 256, 257, 2 ** 20]) expect(quote('x'.repeat(length))).toBe(`"${'x'.repeat(64)}…"`)
  expect(quote('x'.repeat(2 ** 20 + 1))).toBe('"…"')
})

test('quote() never shows the secret, wherever the token is in the text', () => {
  const secret = 'pHk82J7SdVbmHv2PCggppN3U4PmcgphSGMXr3CJoeuf3CYcSx'
  for (let before = 0; before < 300; before++) {
    const shown = quote(`${' '.repeat(before)}acme_live_c6w4G5BC9wx2juOQ_${secret}`)
    expect(shown).not.toContain(secret.slice(0, 12))
  }
})

test('quote() never shows a secret that follows a shortened token, wherever it is in the text', () => {
  const secret = 'pHk82J7SdVbmHv2PCggppN3U4PmcgphSGMXr3CJoeuf3CYcSx'
  for (const size of [200, 4_000, 2 ** 20 - 70]) {
    const first = `_${'A'.repeat(16)}_${'B'.repeat(size)} `
    for (let before = 0; before < 70; before++) {
      expect(quote(`${first}${' '.repeat(before)}acme_live_c6w4G5BC9wx2juOQ_${secret}`)).not.toContain(secret.slice(0, 6))
    }
  }
})

test('quote() names hostile objects without touching them', () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  const throwing = new Proxy(
    {},
    {
      get: () => {
        throw new Error('no')
      },
    },
  )
  expect(quote(throwing)).toBe('a value of type object')
  revoke()
  expect(quote(proxy)).toBe('a value of type object')
})
