import { codeAt } from './code-at.js'

/** A SHA-256 in hexadecimal. */
const LENGTH = 64

/**
 * Returns whether two digests are equal. Takes the same time wherever they differ.
 *
 * XOR over char codes, because creating Buffers for `timingSafeEqual` costs more than the comparison. Anything but 64 characters is unequal, even to
 * itself, so a record without a digest matches nothing.
 */
export function equalDigests(a: string, b: string): boolean {
  if (typeof a !== 'string' || typeof b !== 'string' || a.length !== LENGTH || b.length !== LENGTH) return false
  let difference = 0
  for (let at = 0; at < LENGTH; at++) difference |= codeAt(a, at) ^ codeAt(b, at)
  return difference === 0
}
