import { codeAt } from './code-at.js'

/** The digits of IDs, secrets and checksums, in ascending order of their char codes and of their values. */
export const BASE62: string = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

const IS_BASE62: Uint8Array = new Uint8Array(128)
for (let digit = 0; digit < BASE62.length; digit++) IS_BASE62[BASE62.charCodeAt(digit)] = 1

/**
 * Returns whether all characters of `text` from `from` (inclusive) to `to` (exclusive) are base62 digits. Returns `false` for a range
 * that goes beyond the end of the text.
 *
 * A loop over char codes is about three times faster here than a regular expression.
 */
export function isBase62(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const code = codeAt(text, at)
    if (!(code < 128) || IS_BASE62[code] !== 1) return false
  }
  return true
}
