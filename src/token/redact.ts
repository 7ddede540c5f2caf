/**
 * `_`, 16 digits of an ID, `_`, and 20 or more digits of a secret, so that a token cut short by a log line matches, too. The underscores may be encoded for a
 * URL, any number of times, for JSON or for HTML.
 *
 * Starts at the underscore before the ID, so that few positions can match and the time is linear in any text.
 */
const TOKEN_TAIL =
  /(_|%(?:25)*5[Ff]|\\u005[Ff]|&#(?:95|[Xx]5[Ff]);)([0-9A-Za-z]{4})[0-9A-Za-z]{12}(?:_|%(?:25)*5[Ff]|\\{1,8}u005[Ff]|&#(?:95|[Xx]5[Ff]);)[0-9A-Za-z]{20,}/g

/** A ticket. No more than its length, because the beginning of another ticket may follow. */
const TICKET = /(latchkey(\.|%(?:25)*2[Ee])ticket\2)[0-9A-Za-z]{20,49}/gi

type Remove = (text: string) => string

/** Functions that remove accepted tokens from other systems from text, by the format or example they were learned from. */
const foreign: Map<unknown, Remove> = new Map()

/**
 * Adds the shape of another system's tokens, which must match nothing else. It applies to every instance in this process, even to those that do not accept
 * these tokens, because no instance may store or reveal them. The same is true of our own tokens, with any prefix.
 */
export function learnShape(expression: string): void {
  if (foreign.has(expression)) return
  // Not within a word: `monkey_` does not begin with the prefix `key_`. An escape before it, in a URL or in JSON, is not part of a word.
  const shape = new RegExp(String.raw`(?<!(?<![%\\]|%[0-9A-Fa-f])[0-9A-Za-z])(?:${expression})`, 'g')
  foreign.set(expression, (text) => text.replace(shape, '…'))
}

/** Like `learnShape`, for tokens that no regular expression finds in linear time. */
export function learnRemoval(remove: Remove): void {
  foreign.set(remove, remove)
}

/**
 * Replaces everything in a string that looks like a token, with any prefix, with its hint: `acme_live_4kQ0…`. Tickets become
 * `latchkey.ticket.…`. Tokens from other systems that an instance accepts become an ellipsis if their format differs from other text.
 */
export function redact(text: string): string {
  let rest = text.replace(TICKET, '$1…').replace(TOKEN_TAIL, '$1$2…')
  for (const remove of foreign.values()) rest = remove(rest)
  return rest
}

/** Returns whether the text contains a token with any prefix, or a ticket. They must never be stored. */
export function holdsToken(text: string): boolean {
  return redact(text) !== text
}

/** Like `holdsToken`, but only for this library's tokens. Used to choose the reader of a credential. */
export function holdsOwnToken(text: string): boolean {
  return text.replace(TOKEN_TAIL, '') !== text
}

const HIDDEN = '(not shown: the request has too much text that could be a secret)'

/** A placeholder for a list of secrets that is too long to search for. */
export const EVERY_TEXT: readonly string[] = /* @__PURE__ */ Object.freeze([])

/** The length of the parts of secrets that must not appear anywhere: no 12 consecutive characters of a secret may remain. */
const PART = 12
/** The length of the blocks that are looked up. Every part contains a whole block. */
const BLOCK = 6
/** The maximum length of a string that is searched for secrets; the rest is dropped. No report shows as much. */
const MOST_SEARCHED = 4096
/** Bytes of a URL, and escapes of JSON, JavaScript and HTML. */
const ESCAPE = /((?:%[0-9a-f]{2})+)|\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|&#x([0-9a-f]{1,6});|&#([0-9]{1,7});/gi
/** The maximum number of times that a string is decoded. */
const MOST_DECODINGS = 5

/** Removes these secrets from text: as they are, URL-encoded and escaped for JSON, and every part of 12 characters or more, regardless of case. */
export function withoutTexts(text: string, secrets: readonly string[]): string {
  return textRemover(secrets)(text)
}

/** Like `withoutTexts`, for several texts. Searching takes linear time in the text and the secrets together, because a caller may choose both. */
export function textRemover(secrets: readonly string[]): Remove {
  if (secrets === EVERY_TEXT) return () => HIDDEN
  if (secrets.length === 0) return startOf
  let found: Searched | undefined
  return (given) => {
    found ??= searched(secrets)
    const shown = withoutSecrets(startOf(given), found)
    // Encoders of JSON differ in the characters that they escape.
    const decoded = decodeJsonEscapes(shown)
    const clean = decoded === shown ? shown : withoutSecrets(decoded, found)
    return clean === decoded ? shown : clean
  }
}

/** Decodes the escapes of JSON that stand for one code unit, such as `\u00fc`. */
export function decodeJsonEscapes(text: string): string {
  return text.replace(/\\u([0-9A-Fa-f]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}

/** The forms of secrets to search for. */
type Searched = {
  /** Texts in lower case whose parts are also removed, each with the blocks that occurred in a string. */
  readonly long: readonly (readonly [secret: string, occurred: Uint8Array])[]
  /** The parts around the blocks that occurred. */
  readonly parts: Set<string>
  /** Texts shorter than a part, by their length. */
  readonly short: ReadonlyMap<number, ReadonlySet<string>>
  /** The ends of tokens of this library and their prefixes, which are removed only together. */
  readonly tails: ReadonlyMap<string, string>
}

function searched(secrets: readonly string[]): Searched {
  const long = new Set<string>()
  const short = new Map<number, Set<string>>()
  const tails = new Map<string, string>()
  for (const text of new Set(secrets.flatMap(formsOf))) {
    if (text.length < PART) {
      if (text !== '') short.set(text.length, (short.get(text.length) ?? new Set()).add(text))
      continue
    }
    const [token] = WHOLE_TOKEN.exec(text.slice(-LONGEST_TOKEN)) ?? []
    if (token === undefined) long.add(fold(text))
    else {
      const tail = token.slice(-TAIL)
      const prefix = token.slice(0, -TAIL)
      if (prefix.length > (tails.get(tail)?.length ?? 0)) tails.set(tail, prefix)
      // The prefix and the ID of a token of this library are public.
      long.add(fold(text.slice(0, -token.length))).add(fold(text.slice(text.lastIndexOf('_') + 1)))
    }
  }
  return { long: Array.from(long, (each) => [each, new Uint8Array(each.length / BLOCK)]), parts: new Set(), short, tails }
}

/** Characters that no form changes. */
const UNRESERVED = /^[0-9A-Za-z._-]*$/

/** Returns a string unchanged, and as it is encoded in a URL, in a form, and within a JSON string. */
function formsOf(text: string): readonly string[] {
  if (UNRESERVED.test(text)) return [text]
  const url = text.toWellFormed()
  const inQuery = encodeURIComponent(url)
  const inForm = inQuery.replace(/[!'()~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
  return [text, inQuery, encodeURI(url), inForm, inForm.replaceAll('%20', '+'), JSON.stringify(text).slice(1, -1)]
}

/** Replaces each run of characters that belong to a secret. */
function withoutSecrets(text: string, found: Searched): string {
  const { parts, short, tails } = found
  const hidden = new Uint8Array(text.length)
  const folded = fold(text)
  addParts(folded, found)
  if (parts.size > 0) hide(hidden, folded, PART, parts)
  for (const [length, each] of short) hide(hidden, text, length, each)
  if (tails.size > 0) {
    for (const { 0: tail, index } of text.matchAll(TOKENS_END)) {
      const prefix = tails.get(tail)
      if (prefix !== undefined) hidden.fill(1, text.endsWith(prefix, index) ? index - prefix.length : index, index + TAIL)
    }
  }
  let shown = ''
  let from = 0
  for (let at = hidden.indexOf(1); at !== -1; at = hidden.indexOf(1, from)) {
    shown += `${text.slice(from, at)}…`
    const end = hidden.indexOf(0, at)
    from = end === -1 ? text.length : end
  }
  return shown + text.slice(from)
}

/** Marks each of these words, all of the same length. */
function hide(hidden: Uint8Array, text: string, length: number, words: ReadonlySet<string>): void {
  const beginnings = new Filter(Math.min(length, 3), words.size)
  for (const word of words) beginnings.add(word, 0)
  let end = 0
  for (let at = 0; at + length <= text.length; at += 1) {
    if (!beginnings.has(text, at) || !words.has(text.slice(at, at + length))) continue
    hidden.fill(1, Math.max(at, end), at + length)
    end = at + length
  }
}

/** A set of substrings of one length. It can report a substring that it does not contain, but it is several times faster than a set of strings. */
class Filter {
  readonly #length: number
  readonly #seen: Uint8Array
  readonly #mask: number

  constructor(length: number, count: number) {
    this.#length = length
    this.#seen = new Uint8Array(2 ** Math.min(18, Math.ceil(Math.log2(count + 1)) + 5))
    this.#mask = this.#seen.length - 1
  }

  add(text: string, at: number): void {
    this.#seen[this.#slotOf(text, at)] = 1
  }

  has(text: string, at: number): boolean {
    return this.#seen[this.#slotOf(text, at)] === 1
  }

  #slotOf(text: string, at: number): number {
    let hash = 0
    for (let index = at; index < at + this.#length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x9e3779b1)
    return (hash ^ (hash >>> 15)) & this.#mask
  }
}

/**
 * Truncates a string that is too long to search. It cuts between two words or, if the last word is long, within that word. There, less than one part of a
 * secret can be left.
 *
 * Tokens are redacted first, because no pattern finds the beginning of a token. Such a beginning can only be at the end, which is dropped.
 */
function startOf(text: string): string {
  if (text.length <= MOST_SEARCHED) return text
  const start = redact(text.slice(0, MOST_SEARCHED)).slice(0, -LONGEST_TOKEN)
  const words = Math.max(start.lastIndexOf(' '), start.lastIndexOf('\n')) + 1
  return `${words > start.length / 2 ? start.slice(0, words) : start}…`
}

/**
 * Adds the parts of the secrets that may occur in the text. Every run of 12 characters contains a whole block of 6, so only the blocks of the secrets are
 * looked up. This saves work if a caller sends long secrets.
 */
function addParts(text: string, { long, parts }: Searched): void {
  if (long.length === 0) return
  const blocks = new Filter(BLOCK, text.length)
  for (let at = 0; at + BLOCK <= text.length; at += 1) blocks.add(text, at)
  for (const [secret, occurred] of long) {
    for (let block = 0; block + BLOCK <= secret.length; block += BLOCK) {
      if (occurred[block / BLOCK] === 1 || !blocks.has(secret, block)) continue
      occurred[block / BLOCK] = 1
      const last = Math.min(block, secret.length - PART)
      for (let at = Math.max(0, block - BLOCK); at <= last; at += 1) parts.add(secret.slice(at, at + PART))
    }
  }
}

/**
 * Removes a known token from text that someone else wrote about it, and whatever else looks like a token: the whole token, and every part of its secret, with
 * the text between the parts. Text that hides them, or another token, behind escapes becomes an ellipsis.
 */
export function withoutToken(text: string, token: string): string {
  const without = textRemover([token])
  const shown = without(redact(text))
  let decoded = shown
  for (let times = 0; times < MOST_DECODINGS; times += 1) {
    const next = decoded.replace(ESCAPE, decodeEscape)
    if (next === decoded) break
    decoded = next
    if (holdsToken(decoded) || without(decoded) !== decoded) return '…'
  }
  return shown
}

function decodeEscape(_: string, bytes?: string, unit?: string, hex?: string, entity?: string, decimal?: string): string {
  if (bytes !== undefined) return decodeBytes(bytes)
  const code = decimal === undefined ? Number.parseInt(unit ?? hex ?? entity ?? '', 16) : Number(decimal)
  return code <= 0x10ffff ? String.fromCodePoint(code) : ''
}

/** Decodes `%xx` as UTF-8 or, if it is not valid, each byte as a character. */
function decodeBytes(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  }
}

const WHOLE_TOKEN = /[a-z][a-z0-9_]{0,23}_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}$/
const LONGEST_TOKEN = 91
/** The end of a token after its prefix, which may be any. */
const TOKENS_END = /_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}/g
const TAIL = 67

const ASCII = /^[ -~\t\r\n]*$/

// Only ASCII, so that the length does not change.
function fold(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase()
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
