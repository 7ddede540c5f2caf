import { BASE62 } from './alphabet.js'
import { defaultEngine } from './hash.js'

const ID_LENGTH = 16

/** An id that follows from what it stands for: whoever derives it twice collides with the first, in any store, on the primary key. */
export function deriveId(parts: readonly string[]): string {
  return base62Of(fingerprint(parts))
}

/** The last 16 base62 digits of a number that is given in hexadecimal digits. */
export function base62Of(hex: string): string {
  let number = BigInt(`0x${hex}`)
  let id = ''
  while (id.length < ID_LENGTH) {
    id += BASE62.charAt(Number(number % 62n))
    number /= 62n
  }
  return id
}

/** SHA-256 over values as JSON, in hexadecimal digits. */
export function fingerprint(value: unknown): string {
  return defaultEngine.sha256(ascii(JSON.stringify(value)))
}

/** JSON with escapes in place of everything but ASCII, which alone the hash engines take. */
export function ascii(text: string): string {
  return text.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
