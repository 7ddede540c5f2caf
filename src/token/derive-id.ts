import { BASE62 } from './alphabet.js'
import { defaultEngine } from './hash.js'

const ID_LENGTH = 16

/** An id that follows from what it stands for: whoever derives it twice collides with the first, in any store, on the primary key. */
export function deriveId(parts: readonly string[]): string {
  let number = BigInt(`0x${fingerprint(parts)}`)
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

// The hash engines take ASCII; JSON escapes stand for the rest.
function ascii(text: string): string {
  return text.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
