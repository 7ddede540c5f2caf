import { redact } from '../token/redact.js'

/** Longer inputs are truncated in messages. */
const MAX_QUOTED = 64
/** Nothing is shown of a string that is longer than this. */
const MAX_READ = 2 ** 20

/** JSON escapes only some of the characters that control a terminal, and none that reorder the text around them. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

let withheld = false

/**
 * Reads an input that messages must not quote, such as a row of an imported table: they say `the value` instead, and do not name unknown fields. Only for
 * synchronous readers.
 */
export function withoutQuotes<T>(read: () => T): T {
  const before = withheld
  withheld = true
  try {
    return read()
  } finally {
    withheld = before
  }
}

/** Returns whether messages must not quote the input, nor name the fields in it that are not known. */
export function isWithheld(): boolean {
  return withheld
}

/** Quotes a refused input in a message: short, on one line, and without a token that was pasted into the wrong field. */
export function quote(input: unknown): string {
  if (withheld) return 'the value'
  if (typeof input === 'string') {
    // Redacted as a whole, because the start of a token that was cut short is not recognized.
    const shown = input.length > MAX_READ ? '' : redact(input)
    const text = JSON.stringify(shown.length > MAX_QUOTED || input.length > MAX_READ ? `${shown.slice(0, MAX_QUOTED)}…` : shown)
    return text.replace(UNSAFE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
  }
  if (input === null || input === undefined || typeof input === 'boolean' || typeof input === 'number') return String(input)
  return isList(input) ? 'a list' : `a value of type ${typeof input}`
}

/** Like `Array.isArray`, but `false` for a revoked proxy, for which `Array.isArray` throws. */
function isList(input: unknown): boolean {
  try {
    return Array.isArray(input)
  } catch {
    return false
  }
}
