import { BLOCK, fold, holdsOwnToken, holdsToken, PART, redact, shownOf, startOf } from './redact.js'

/** The maximum number of times that a string is decoded. */
const MOST_DECODINGS = 5
/** Escapes for URLs, JSON, JavaScript and HTML. */
const ESCAPE = /%([0-9a-f]{2})|\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|&#x([0-9a-f]{1,6});|&#([0-9]{1,7});/gi

/**
 * Tokens to remove from text that others wrote about them. The general redaction recognizes neither the format of every imported token nor parts of a secret.
 *
 * Searching takes linear time in the text, however many tokens there are, because strangers choose both.
 */
export class KnownTokens {
  /** Blocks of secrets, in lower case, until they occur in a text. Every part contains a whole block. */
  readonly #blocks: Map<string, [secret: string, at: number][]> = new Map()
  /** The parts around the blocks that occurred. */
  readonly #parts: Set<string> = new Set()

  add(token: string): void {
    // The prefix and the ID of a token of this library are public.
    const secret = fold(holdsOwnToken(token) ? token.slice(token.lastIndexOf('_') + 1) : token)
    for (let at = 0; at + BLOCK <= secret.length; at += BLOCK) {
      const block = secret.slice(at, at + BLOCK)
      const places = this.#blocks.get(block)
      if (places === undefined) this.#blocks.set(block, [[secret, at]])
      else places.push([secret, at])
    }
  }

  /**
   * Removes the tokens, every part of 12 characters or more of their secrets, and whatever else looks like a token. Text that hides any of them behind escapes
   * becomes an ellipsis.
   */
  removeFrom(text: string): string {
    const shown = this.#without(redact(startOf(text)))
    let decoded = shown
    for (let times = 0; times < MOST_DECODINGS; times += 1) {
      const next = decoded.replace(ESCAPE, (_, ...codes: readonly (string | undefined)[]) => decode(codes))
      if (next === decoded) break
      decoded = next
      if (holdsToken(decoded) || this.#without(decoded) !== decoded) return '…'
    }
    return shown
  }

  #without(text: string): string {
    const folded = fold(text)
    for (let at = 0; at + BLOCK <= folded.length; at += 1) this.#addParts(folded.slice(at, at + BLOCK))
    if (this.#parts.size === 0) return text
    const hidden = new Uint8Array(text.length)
    for (let at = 0; at + PART <= folded.length; at += 1) if (this.#parts.has(folded.slice(at, at + PART))) hidden.fill(1, at, at + PART)
    return shownOf(text, hidden)
  }

  #addParts(block: string): void {
    const places = this.#blocks.get(block)
    if (places === undefined) return
    this.#blocks.delete(block)
    for (const [secret, begin] of places) {
      const last = Math.min(begin, secret.length - PART)
      for (let at = Math.max(0, begin - BLOCK); at <= last; at += 1) this.#parts.add(secret.slice(at, at + PART))
    }
  }
}

function decode([percent, unicode, hex, entity, decimal]: readonly (string | undefined)[]): string {
  const code = decimal === undefined ? Number.parseInt(percent ?? unicode ?? hex ?? entity ?? '', 16) : Number(decimal)
  return code <= 0x10ffff ? String.fromCodePoint(code) : ''
}
