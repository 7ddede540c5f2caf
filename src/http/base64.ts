const BASE64 = /^[0-9A-Za-z+/]*={0,2}$/

/**
 * Decodes base64 to a binary string (RFC 4648 §4). Returns `undefined` for any other text, because `atob` would throw, which takes a hundred times longer
 * than decoding.
 */
export function decodeBase64(text: string): string | undefined {
  const isComplete = text.endsWith('=') ? text.length % 4 === 0 : text.length % 4 !== 1
  return isComplete && BASE64.test(text) ? atob(text) : undefined
}

/**
 * Decodes base64 and base64url like `Buffer.from()`, which many hosts use: all other characters and missing padding are ignored. Returns the bytes as a
 * binary string and, if they are valid, as UTF-8.
 */
export function decodeBase64Leniently(text: string): readonly string[] {
  const digits = text.replace(/[^0-9A-Za-z+/_-]+/g, '').replace(/[_-]/g, (digit) => (digit === '-' ? '+' : '/'))
  const binary = atob(digits.length % 4 === 1 ? digits.slice(0, -1) : digits)
  return NOT_ASCII.test(binary) ? [binary, ...asUtf8(binary)] : [binary]
}

const NOT_ASCII = /[\x80-\xff]/
const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function asUtf8(binary: string): readonly string[] {
  try {
    return [UTF_8.decode(Uint8Array.from(binary, (byte) => byte.charCodeAt(0)))]
  } catch {
    return []
  }
}

/** Decodes `%xx` and, in a form, `+`, as `URLSearchParams` does: invalid escapes stay, and bytes that are not UTF-8 become U+FFFD. */
export function decodePercent(text: string, form = false): string {
  const value = text.replaceAll('&', '%26')
  return new URLSearchParams(`v=${form ? value : value.replaceAll('+', '%2B')}`).get('v') ?? ''
}
