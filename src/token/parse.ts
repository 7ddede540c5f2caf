import { isBase62 } from './alphabet.js'
import { CHECKSUM_LENGTH } from './checksum.js'
import { codeAt } from './code-at.js'

/** Characters of an ID. */
export const ID_LENGTH = 16
/** Characters of a secret: 43 base62 digits hold 256 bits. */
export const SECRET_LENGTH = 43
/** The maximum length of a prefix. */
export const MAX_PREFIX_LENGTH = 24

/** The part after the prefix: `_id_secret` and the checksum. */
const TAIL_LENGTH: number = 1 + ID_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH
const UNDERSCORE = 95

/** A token in the right format. Only the checksum and the store can tell whether it is genuine. */
export type ParsedToken = {
  readonly id: string
  /** `prefix_id_secret`: what is digested. */
  readonly body: string
  readonly token: string
}

/**
 * Creates the parser of one prefix. It returns the parts of a token, or `undefined` for anything that is not a token with this prefix.
 *
 * Checks the length first, then the prefix, the underscores and the alphabet. Never throws, and never hashes.
 */
export function createParser(prefix: string): (token: unknown) => ParsedToken | undefined {
  const length = prefix.length + TAIL_LENGTH
  return function parse(token: unknown): ParsedToken | undefined {
    if (typeof token !== 'string' || token.length !== length || !token.startsWith(prefix)) return undefined
    return parseTail(token, prefix.length)
  }
}

/** Parses a token with any prefix, from the right. Used by scanners, and to distinguish a token with a different prefix from junk. */
export function parseAnyToken(token: unknown): (ParsedToken & { readonly prefix: string }) | undefined {
  if (typeof token !== 'string' || token.length <= TAIL_LENGTH || token.length > MAX_PREFIX_LENGTH + TAIL_LENGTH) return undefined
  const prefix = token.slice(0, token.length - TAIL_LENGTH)
  if (!isPrefix(prefix)) return undefined
  const parsed = parseTail(token, prefix.length)
  return parsed && { prefix, ...parsed }
}

/** Returns whether this is a prefix: words of lowercase letters and digits joined by single underscores, starting with a letter, at most 24 characters. */
export function isPrefix(text: unknown): text is string {
  return typeof text === 'string' && text.length <= MAX_PREFIX_LENGTH && /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/.test(text)
}

/** Returns whether this has the form of a token ID: 16 base62 digits. Anything else needs no lookup in the store. */
export function isTokenId(text: unknown): text is string {
  return typeof text === 'string' && text.length === ID_LENGTH && isBase62(text, 0, ID_LENGTH)
}

/** Parses a token of the right length. `at` is the end of the prefix. */
function parseTail(token: string, at: number): ParsedToken | undefined {
  const idEnd = at + 1 + ID_LENGTH
  if (codeAt(token, at) !== UNDERSCORE || codeAt(token, idEnd) !== UNDERSCORE) return undefined
  if (!isBase62(token, at + 1, idEnd) || !isBase62(token, idEnd + 1, token.length)) return undefined
  return { id: token.slice(at + 1, idEnd), body: token.slice(0, token.length - CHECKSUM_LENGTH), token }
}
