/** A token's text, whole or begun: words joined by `_`, the id, and at least a little of the secret. */
const TOKEN = /[a-z][0-9a-z_]*_([0-9A-Za-z]{16})_[0-9A-Za-z]+/g
/** The same without its beginning. */
const TAIL = /\b([0-9A-Za-z]{16})_[0-9A-Za-z]{20,}/g
/** A signed token (RFC 7519 §3): its first part is a JSON object in base64url. */
const SIGNED = /\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?/g

/** Tokens of other systems that this server accepts, as far as it is known yet. */
let foreign: RegExp | undefined

/** Learns how tokens of other systems look. */
export function learnShapes(shapes: readonly string[] = []): void {
  foreign = shapes.length === 0 ? undefined : new RegExp(shapes.map((shape) => `(?:${shape})[!#-+\\--~]*`).join('|'), 'g')
}

/**
 * Cuts every token in a text to its id, which is no secret, and those without an id away. What people paste must not get into an address or a log.
 * What only may be a token of another system stays where it stood `before`.
 */
export function cutTokens(text: string, before = ''): string {
  const own = text.replace(TOKEN, '$1').replace(TAIL, '$1').replace(SIGNED, '')
  return foreign === undefined ? own : own.replace(foreign, (found) => (before.includes(found) ? found : ''))
}

/** A part of an address or of a range, as it is written. */
const ADDRESS = /^[\dA-Fa-f]*[:.][\dA-Fa-f:./]*$/

/** The same for addresses, of which some are as long as a token. */
export const cutAddresses = (text: string): string => text.replace(/[^\s,]+/g, (entry) => (ADDRESS.test(entry) ? entry : cutTokens(entry)))

const ID = /^[0-9A-Za-z]{16}$/

/** Is this the id of a token? */
export const isId = (text: string): boolean => ID.test(text)
