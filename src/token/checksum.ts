import { BASE62 } from './alphabet.js'
import { codeAt } from './code-at.js'

/** 62^6 is above 2^32, so six digits hold the first 32 bits of a digest. */
export const CHECKSUM_LENGTH = 6

/** Returns the first 32 bits of a digest, big-endian, in base62, left-padded with `0` to six characters. */
export function checksum(digestHex: string): string {
  let rest = Number.parseInt(digestHex.slice(0, 8), 16)
  let text = ''
  for (let digit = 0; digit < CHECKSUM_LENGTH; digit++) {
    text = BASE62.charAt(rest % 62) + text
    rest = Math.floor(rest / 62)
  }
  return text
}

/** Returns whether `token` ends with the checksum of this digest. Creates no string, and takes the same time wherever the two differ. */
export function checksumMatches(token: string, digestHex: string): boolean {
  if (token.length < CHECKSUM_LENGTH || digestHex.length < 8) return false
  let expected = 0
  for (let at = 0; at < 8; at++) expected = expected * 16 + hexValue(codeAt(digestHex, at))
  let presented = 0
  for (let at = token.length - CHECKSUM_LENGTH; at < token.length; at++) presented = presented * 62 + base62Value(codeAt(token, at))
  return presented === expected
}

/** Returns the value of a lowercase hexadecimal digit; NaN, which equals nothing, for any other character. */
function hexValue(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  return code >= 97 && code <= 102 ? code - 87 : Number.NaN
}

function base62Value(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  if (code >= 65 && code <= 90) return code - 55
  return code >= 97 && code <= 122 ? code - 61 : Number.NaN
}
