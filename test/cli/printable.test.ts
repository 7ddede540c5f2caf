import { expect, it } from 'vitest'
import { printable, printableJson } from '../../src/cli/lib/printable.js'

const HOSTILE = 'a\u001b[2J\u009b2Jb\u202ec\u2028d\u{e0041}e\nf'

it('printable() escapes terminal control characters', () => {
  expect(printable(HOSTILE)).toBe('a\\u{1b}[2J\\u{9b}2Jb\\u{202e}c\\u{2028}d\\u{e0041}e\\u{a}f')
})

it('printableJson() escapes terminal control characters without changing the value', () => {
  const text = printableJson({ name: HOSTILE, emoji: '🦊' })
  expect(text.replace(/[\x20-\x7e\n🦊]/gu, '')).toBe('')
  expect(JSON.parse(text)).toEqual({ name: HOSTILE, emoji: '🦊' })
})

it.each([
  '\u3164',
  '\u115f',
  '\u034f',
  '\ufe0f',
  '\u{e0101}',
  '\u2800',
  '\u17b4',
  '\u180b',
  '\u200b',
  '\ufff9',
  '\ud800',
  '\uffa0',
  '\u0600',
])('printable() and printableJson() escape %j, which is invisible, alters other text or is not a character', (character) => {
  const text = `a${character}b`
  expect(printable(text)).toMatch(/^a\\u\{[0-9a-f]+\}b$/)
  expect(printableJson(text)).toMatch(/^"a(?:\\u[0-9a-f]{4})+b"$/)
  expect(JSON.parse(printableJson(text))).toBe(text)
})
