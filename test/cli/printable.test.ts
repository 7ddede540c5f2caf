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
