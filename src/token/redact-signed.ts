import { learnRemoval } from './redact.js'

/** The second part of a signed token, which is a JSON object in base64url, and its third part, which is any text in base64url. */
const SIGNED_TAIL = /\.eyJ[\w-]{8,}\.[\w-]{16,}/g
/** How a JSON object in base64url begins, and which lengths are removed. Few headers of signed tokens are longer. */
const OBJECT = 'eyJ'
const OBJECT_LENGTH = { min: 8, max: 1024 }
const WORD = /[\w-]/
const ALPHANUMERIC = /[0-9A-Za-z]/
const ESCAPE = /(?:[%\\]|%[0-9A-Fa-f])$/

/** Makes redaction also remove signed tokens from every text from now on: three parts in base64url, of which the first two are JSON objects. */
export function learnSigned(): void {
  learnRemoval(withoutSigned)
}

// No regular expression for all three parts: text with many possible beginnings would be searched to its end from each of them.
function withoutSigned(text: string): string {
  const tail = new RegExp(SIGNED_TAIL)
  let rest = ''
  let from = 0
  for (let found = tail.exec(text); found !== null; found = tail.exec(text)) {
    const start = headerBefore(text, from, found.index)
    // The second part may be the first part of another token.
    if (start === undefined) tail.lastIndex = found.index + 1
    else {
      rest += `${text.slice(from, start)}…`
      from = tail.lastIndex
    }
  }
  return rest + text.slice(from)
}

/** Returns the start of the header that ends here: the earliest position that is not within a word. */
function headerBefore(text: string, from: number, end: number): number | undefined {
  let first = end
  while (first > from && end - first < OBJECT.length + OBJECT_LENGTH.max && WORD.test(text.charAt(first - 1))) first -= 1
  for (let at = first; end - at >= OBJECT.length + OBJECT_LENGTH.min; at += 1) {
    if (text.startsWith(OBJECT, at) && begins(text, at)) return at
  }
  return undefined
}

function begins(text: string, at: number): boolean {
  return !ALPHANUMERIC.test(text.charAt(at - 1)) || ESCAPE.test(text.slice(Math.max(0, at - 3), at - 1))
}
