/**
 * `_`, 16 digits of an id, `_`, and 20 or more digits of a secret, so that a token cut short by a log line matches, too.
 *
 * Starts at the underscore before the id, so that few positions can match and the time is linear in any text.
 */
const TOKEN_TAIL = /(_|%5[Ff])([0-9A-Za-z]{4})[0-9A-Za-z]{12}(?:_|%5[Ff])[0-9A-Za-z]{20,}/g

/** The shapes of accepted tokens from other systems. */
const foreign: Map<string, RegExp> = new Map()
/** Not within a word: `monkey_` does not begin with the prefix `key_`. An escape before it, in a URL or in JSON, is not part of a word. */
const BEGINS = String.raw`(?<!(?<![%\\]|%[0-9A-Fa-f])[0-9A-Za-z])`

/**
 * Adds the shape of another system's tokens, which must match nothing else. It applies to every instance in this process, whichever accepts these tokens,
 * because no instance may store or reveal them. The same is true of our own tokens, with any prefix.
 */
export function learnShape(expression: string): void {
  if (!foreign.has(expression)) foreign.set(expression, new RegExp(`${BEGINS}(?:${expression})`, 'g'))
}

/** The second and the third part of a signed token, which is a JSON object in base64url, and any text in base64url. */
const SIGNED_TAIL = /\.eyJ[\w-]{8,}\.[\w-]{16,}/g
/** How a JSON object in base64url begins, and how long it can be. Few headers of signed tokens are longer. */
const OBJECT = 'eyJ'
const OBJECT_LENGTH = { min: 8, max: 1024 }
const WORD = /[\w-]/
const ALPHANUMERIC = /[0-9A-Za-z]/
const ESCAPE = /(?:[%\\]|%[0-9A-Fa-f])$/

let signed = false

/** Like `learnShape`, for signed tokens: three parts in base64url, of which the first two are JSON objects. */
export function learnSigned(): void {
  signed = true
}

// No regular expression for all three parts: a text with many possible beginnings would be searched to its end from each of them.
function withoutSigned(text: string): string {
  const tail = new RegExp(SIGNED_TAIL)
  let rest = ''
  let from = 0
  for (let found = tail.exec(text); found !== null; found = tail.exec(text)) {
    const start = headerBefore(text, from, found.index)
    // The second part may be the first one of another token.
    if (start === undefined) tail.lastIndex = found.index + 1
    else {
      rest += `${text.slice(from, start)}…`
      from = tail.lastIndex
    }
  }
  return rest + text.slice(from)
}

/** Returns where the header begins that ends here: the earliest place that is not within a word. */
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

/**
 * Replaces everything in a text that looks like a token, with any prefix, by its hint: `acme_live_4kQ0…`. Tokens of other systems that an instance accepts
 * become an ellipsis if their format differs from other text.
 */
export function redact(text: string): string {
  let rest = text.replace(TOKEN_TAIL, '$1$2…')
  if (signed) rest = withoutSigned(rest)
  for (const shape of foreign.values()) rest = rest.replace(shape, '…')
  return rest
}

/** Returns whether a text contains a token with any prefix. Tokens must never be stored. */
export function holdsToken(text: string): boolean {
  return redact(text) !== text
}

/** Like `holdsToken`, for tokens of this library only. Used to choose the reader of a credential. */
export function holdsOwnToken(text: string): boolean {
  return text.replace(TOKEN_TAIL, '') !== text
}

/** Removes these secrets from a text, both as they are and URL-encoded. */
export function withoutTexts(text: string, secrets: readonly string[]): string {
  // Longer secrets first, so that no part of one remains if another is a substring of it.
  const written = secrets.flatMap((secret) => [secret, encodeURIComponent(secret.toWellFormed())]).sort((a, b) => b.length - a.length)
  return written.reduce((rest, each) => (each === '' ? rest : rest.replaceAll(each, '…')), text)
}
