/**
 * `_`, 16 digits of an ID, `_`, and 20 or more digits of a secret, so that a token cut short by a log line matches, too.
 *
 * Starts at the underscore before the ID, so that few positions can match and the time is linear in any text.
 */
const TOKEN_TAIL = /(_|%5[Ff])([0-9A-Za-z]{4})[0-9A-Za-z]{12}(?:_|%5[Ff])[0-9A-Za-z]{20,}/g

type Remove = (text: string) => string

/** Functions that remove accepted tokens of other systems from text, by the format or example they were learned from. */
const foreign: Map<unknown, Remove> = new Map()
/** Not within a word: `monkey_` does not begin with the prefix `key_`. An escape before it, in a URL or in JSON, is not part of a word. */
const BEGINS = String.raw`(?<!(?<![%\\]|%[0-9A-Fa-f])[0-9A-Za-z])`

/**
 * Adds the shape of another system's tokens, which must match nothing else. It applies to every instance in this process, whichever accepts these tokens,
 * because no instance may store or reveal them. The same is true of our own tokens, with any prefix.
 */
export function learnShape(expression: string): void {
  if (foreign.has(expression)) return
  const shape = new RegExp(`${BEGINS}(?:${expression})`, 'g')
  foreign.set(expression, (text) => text.replace(shape, '…'))
}

/** Like `learnShape`, for tokens that no regular expression finds in linear time. */
export function learnRemoval(remove: Remove): void {
  foreign.set(remove, remove)
}

/**
 * Replaces everything in a text that looks like a token, with any prefix, with its hint: `acme_live_4kQ0…`. Tokens of other systems that an instance accepts
 * become an ellipsis if their format differs from other text.
 */
export function redact(text: string): string {
  let rest = text.replace(TOKEN_TAIL, '$1$2…')
  for (const remove of foreign.values()) rest = remove(rest)
  return rest
}

/** Returns whether the text contains a token with any prefix. Tokens must never be stored. */
export function holdsToken(text: string): boolean {
  return redact(text) !== text
}

/** Like `holdsToken`, for tokens of this library only. Used to choose the reader of a credential. */
export function holdsOwnToken(text: string): boolean {
  return text.replace(TOKEN_TAIL, '') !== text
}

const HIDDEN = '(not shown: the request has too much text that could be a secret)'

/** A placeholder for a list of secrets that is too long to search for. */
export const EVERY_TEXT: readonly string[] = Object.freeze([])

/** The promise is that no 12 characters of a secret appear anywhere. */
const PART = 12
/** Half of a part. */
const BLOCK = 6
/** The maximum length of a text that is searched for secrets; the rest is dropped. No report shows as much. */
const MOST_SEARCHED = 16_384
const ESCAPE = /%([0-9A-Fa-f]{2})/g
/** The maximum number of times that a text is URL-decoded. */
const MOST_DECODINGS = 5

/** Removes these secrets from text: as they are, URL-encoded and escaped for JSON, and every part of 12 characters or more, in any case. */
export function withoutTexts(text: string, secrets: readonly string[]): string {
  return textRemover(secrets)(text)
}

/** Like `withoutTexts`, for several texts. */
export function textRemover(secrets: readonly string[]): Remove {
  if (secrets === EVERY_TEXT) return () => HIDDEN
  const written = new Set(secrets.flatMap((secret) => [secret, encodeURIComponent(secret.toWellFormed()), escaped(secret)]))
  written.delete('')
  // Longer secrets first, so that no part of one remains if another is a substring of it.
  const whole = [...written].sort((a, b) => b.length - a.length)
  const folded = whole.flatMap(secretsOf).map(fold)
  return (given) => {
    const rest = whole.reduce((left, each) => left.replaceAll(each, '…'), startOf(given))
    return withoutParts(rest, sharedParts(fold(rest), folded))
  }
}

/** Truncates a text that is too long to search. Cuts it between two words, so that no part of a secret is left. */
function startOf(text: string): string {
  if (text.length <= MOST_SEARCHED) return text
  const start = text.slice(0, MOST_SEARCHED)
  return `${start.slice(0, Math.max(start.lastIndexOf(' '), start.lastIndexOf('\n')) + 1)}…`
}

/**
 * Returns the parts of the secrets that may occur in the text. Every run of 12 characters contains a whole block of 6, so only the blocks of the secrets are
 * looked up: a caller chooses how long they are.
 */
function sharedParts(text: string, secrets: readonly string[]): ReadonlySet<string> {
  const blocks = new Set<string>()
  for (let at = 0; at + BLOCK <= text.length; at += 1) blocks.add(text.slice(at, at + BLOCK))
  const parts = new Set<string>()
  for (const secret of secrets) {
    for (let block = 0; block + BLOCK <= secret.length; block += BLOCK) {
      if (!blocks.has(secret.slice(block, block + BLOCK))) continue
      const last = Math.min(block, secret.length - PART)
      for (let at = Math.max(0, block - BLOCK); at <= last; at += 1) parts.add(secret.slice(at, at + PART))
    }
  }
  return parts
}

/**
 * Removes a known token from text that someone else wrote about it: the whole token, and every part of its secret, with whatever is between the parts. Text that
 * hides them behind escapes becomes an ellipsis.
 */
export function withoutToken(text: string, token: string): string {
  const without = textRemover([token])
  const shown = without(text)
  let decoded = shown
  for (let times = 0; times < MOST_DECODINGS; times += 1) {
    const next = decoded.replace(ESCAPE, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    if (next === decoded) break
    decoded = next
    if (without(decoded) !== decoded) return '…'
  }
  return shown
}

/** The text as it appears within a string in JSON. */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

const WHOLE_TOKEN = /[a-z][a-z0-9_]{0,23}_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$/
const LONGEST_TOKEN = 91

// The prefix and the ID of a token of this library are public.
function secretsOf(text: string): readonly string[] {
  const [token] = WHOLE_TOKEN.exec(text.slice(-LONGEST_TOKEN)) ?? []
  return token === undefined ? [text] : [text.slice(0, -token.length), text.slice(text.lastIndexOf('_') + 1)]
}

// Only ASCII, so that the length does not change.
function fold(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

function withoutParts(text: string, parts: ReadonlySet<string>): string {
  if (parts.size === 0) return text
  const folded = fold(text)
  let shown = ''
  let from = 0
  for (let at = 0; at + PART <= text.length; at += 1) {
    if (!parts.has(folded.slice(at, at + PART))) continue
    let end = at + PART
    while (end < text.length && parts.has(folded.slice(end - PART + 1, end + 1))) end += 1
    shown += `${text.slice(from, at)}…`
    from = end
    at = end - 1
  }
  return shown + text.slice(from)
}
