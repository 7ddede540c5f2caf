import { decodeJsonEscapes, EVERY_TEXT } from '../token/redact.js'
import { decodeBase64Leniently, decodePercent } from './base64.js'
import { fieldValues, type HeaderSource } from './request.js'

/** Fields that identify the sender, regardless of what a guard reads. */
const PROVING = ['authorization', 'proxy-authorization', 'cookie', 'sec-websocket-protocol']
/** Shorter strings are not treated as secrets, because many words contain them. */
const SHORTEST = 6
// RFC 9110 §11.4: a credential begins with the name of its scheme.
const SCHEME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+ +(?=\S)/

/** Shorter pieces of a structured credential are not treated as secrets, because they may be common words, such as its field names. */
const SHORTEST_PIECE = 16

/** A caller chooses the number of words, and decoding and searching for a large number of them would delay all other requests. */
const MOST_WORDS = 256
/** The maximum number of strings to search for, for the same reason. */
const MOST_TEXTS = 512
/** The maximum length of all the strings to search for, for the same reason: header fields of about 9 KB. */
const MOST_TEXT = 2 ** 16
/** How many times a word is decoded. RFC 6749 §2.3.1: a client's secret is form-encoded, then paired with its ID in base64. A cookie may be encoded again. */
const MOST_DECODINGS = 3

// biome-ignore lint/suspicious/noControlCharactersInRegex: they tell bytes from text.
const CONTROL = /[\x00-\x08\x0e-\x1f\x7f]/
const BASE64 = /^[0-9A-Za-z+/_-]+=*$/
/** What may be base64 between other characters, such as the claims of a signed token, and may decode to a piece. */
const ENCODED = /[0-9A-Za-z+/_-]{22,}={0,2}/g
/** How many of them are decoded, for the same reason as above. */
const MOST_ENCODED = 256
/** From this length on, a cookie may be continued from another one, and may begin at any of the four digits of a group. */
const LONG_RUN = 200
const LONGEST_LABEL = 40
const MOST_LABELS = 3
// The forms of Express (`s:id.signature`) and of Hono (`id.signature`).
const SIGNED = /^(?:s:(.+)\.[^.]*|([^.]+)\.[0-9A-Za-z+/_=-]{27,})$/s

/**
 * Collects the credentials in the header fields: whole values, their parts, their decoded forms, and long pieces of all of them. No error may quote them. An
 * error about a request with too much text must not quote any of it.
 */
export function secretsIn(headers: HeaderSource, fields: readonly string[]): readonly string[] {
  const values = [...new Set([...PROVING, ...fields])]
    .flatMap((name) => fieldValues(headers, name))
    .map((value) => value.replace(SCHEME, ''))
  const parts = values.flatMap((value) => [value, ...value.split(/[\s,;]+/), ...value.split(/[\s,;="]+/)])
  const words = new Set(parts.filter(isLong))
  if (words.size > MOST_WORDS) return EVERY_TEXT
  const secrets = new Collected()
  const inner = new InnerTexts()
  let encoded: ReadonlySet<string> = words
  for (let round = 0; round < MOST_DECODINGS && secrets.addAll(encoded); round += 1) {
    const found = new Set([...encoded].flatMap(takenApart).filter(isLong))
    if (!secrets.addAll(found)) break
    encoded = new Set(
      [...found]
        .filter(isText)
        .flatMap((text) => [...decodingsOf(text), ...inner.decodedFrom(text)])
        .filter((text) => isLong(text) && !secrets.has(text)),
    )
  }
  secrets.addAll([...encoded].flatMap(takenApart).filter(isLong))
  return inner.isFull ? EVERY_TEXT : secrets.all
}

/** The texts that are encoded within other texts. Each is decoded once. */
class InnerTexts {
  readonly #seen: Set<string> = new Set()

  get isFull(): boolean {
    return this.#seen.size > MOST_ENCODED
  }

  /** Returns the decoded texts, and the pieces of decoded bytes that are not text. */
  decodedFrom(text: string): readonly string[] {
    return (text.match(ENCODED) ?? []).flatMap((run) => {
      if (this.#seen.has(run) || this.isFull) return []
      this.#seen.add(run)
      const parts = new Set([
        ...run.split('--'),
        ...withoutLabels(run),
        ...(run.length < LONG_RUN ? [] : [1, 2, 3].map((from) => run.slice(from))),
      ])
      if (run !== text) parts.add(run)
      return [...parts]
        .filter(({ length }) => length >= SHORTEST_PIECE)
        .flatMap(decodeBase64Leniently)
        .flatMap((decoded) => (isText(decoded) ? decoded : piecesOf(decoded)))
    })
  }
}

/** Returns what follows the first signs of base64url that may also separate a label, as in `base64-eyJ…` and `sess_eyJ…`. */
function withoutLabels(run: string): readonly string[] {
  return Array.from(run.slice(0, LONGEST_LABEL).matchAll(/[-_]/g), ({ index }) => run.slice(index + 1)).slice(0, MOST_LABELS)
}

/** Texts and their pieces, up to a maximum length. */
class Collected {
  readonly #texts: Set<string> = new Set()
  #length = 0

  /** Returns whether there is room for more. */
  addAll(texts: Iterable<string>): boolean {
    for (const text of texts) {
      if (this.#isFull) break
      this.#add(text)
      for (const piece of piecesOf(text)) this.#add(piece)
    }
    return !this.#isFull
  }

  has(text: string): boolean {
    return this.#texts.has(text)
  }

  get all(): readonly string[] {
    return this.#isFull ? EVERY_TEXT : [...this.#texts]
  }

  get #isFull(): boolean {
    return this.#length > MOST_TEXT || this.#texts.size > MOST_TEXTS
  }

  #add(text: string): void {
    if (!this.#texts.has(text)) this.#length += text.length
    this.#texts.add(text)
  }
}

// A callback may quote only the secret of `key_secret` or `id|secret`, one part of a signed token, or one value of a cookie in JSON.
function piecesOf(text: string): readonly string[] {
  return text.split(/[^0-9A-Za-z]+/).filter(({ length }) => length >= SHORTEST_PIECE)
}

/** Random bytes in base64 decode to characters that do not occur in credentials. Decoding the result repeatedly would only produce more of them. */
function isText(text: string): boolean {
  return !CONTROL.test(text)
}

function takenApart(text: string): readonly string[] {
  return isText(text) ? [text, ...membersOf(text)] : [text]
}

function isLong(text: string): boolean {
  return text.length >= SHORTEST
}

/** Returns the members of a pair, whose password may contain colons (RFC 7617 §2), and the ID in a signed cookie. */
function membersOf(text: string): readonly string[] {
  const [, express, id] = SIGNED.exec(text) ?? []
  const ids = [express, id].filter((member) => member !== undefined)
  return text.includes(':') ? [...text.split(':'), text.slice(text.indexOf(':') + 1), ...ids] : ids
}

function decodingsOf(text: string): readonly string[] {
  const decoded: string[] = []
  if (text.includes('%')) decoded.push(decodePercent(text))
  if (text.includes('+')) decoded.push(decodePercent(text, true))
  if (text.includes('\\u')) decoded.push(decodeJsonEscapes(text))
  if (BASE64.test(text)) decoded.push(...decodeBase64Leniently(text))
  return decoded
}
