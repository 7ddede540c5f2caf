/** A token, complete or cut off: words joined by `_`, the ID, and at least the start of the secret. */
const TOKEN = /[a-z][0-9a-z_]*_([0-9A-Za-z]{16})_[0-9A-Za-z]+/g
/** A token without its prefix. */
const TAIL = /\b([0-9A-Za-z]{16})_[0-9A-Za-z]{20,}/g
/** The same with only the start of the secret, as it is typed. Names may look like this, so the ID must also look random. */
const START = /\b([0-9A-Za-z]{16})_[0-9A-Za-z]+/g
/**
 * An ID directly followed by the secret: the rest of a token that was typed or pasted in pieces. Random text of this length has all three kinds of
 * characters; long words and hexadecimal hashes do not.
 */
const RUN = /\b(?=[0-9A-Za-z]*[0-9])(?=[0-9A-Za-z]*[A-Z])(?=[0-9A-Za-z]*[a-z])([0-9A-Za-z]{16})[0-9A-Za-z]{20,}/g
/** The length of a secret with its checksum. Copied alone, it has no ID to keep. */
const SECRET_LENGTH = 49
/** A signed token (RFC 7519 §3): its first part is a JSON object in base64url. */
const SIGNED = /\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?/g

/** Tokens from other systems that this server accepts, once known. */
let foreign: RegExp | undefined

/** Sets the shapes of other systems' tokens. */
export function learnShapes(shapes: readonly string[] = []): void {
  foreign = shapes.length === 0 ? undefined : new RegExp(shapes.map((shape) => `(?:${shape})[!#-+\\--~]*`).join('|'), 'g')
}

/**
 * Reduces every token in a string to its ID, which is not secret, or removes it. Pasted tokens must not end up in a URL or a log.
 * Text that merely looks like another system's token is kept if it was already there `before`.
 */
export function cutTokens(text: string, before = ''): string {
  const cut = (found: string, id: string): string => (before.includes(found) ? found : id)
  return cutWhole(text, before)
    .replace(START, (found, id) => (isRandom(id) ? cut(found, id) : found))
    .replace(RUN, (found, id) => cut(found, found.length === SECRET_LENGTH ? '' : id))
}

/**
 * Returns whether these characters look random: the kinds of characters alternate more often than in a name. Only about one random ID in a hundred does not
 * look random.
 */
export const isRandom = (text: string): boolean => /\d|[A-Z]{2}/.test(text) && (text.match(/\d+|[a-z]+|[A-Z]+/g)?.length ?? 0) > 5

/** Like `cutTokens`, but only for whole tokens, because in a URL an ID of the host can be as long as a token's ID with its secret. */
export function cutWhole(text: string, before = ''): string {
  const own = text.replace(TOKEN, '$1').replace(TAIL, '$1').replace(SIGNED, '')
  return foreign === undefined ? own : own.replace(foreign, (found) => (before.includes(found) ? found : ''))
}

/** An address or range, or the beginning of one. */
const ADDRESS = /^[\dA-Fa-f]*[:.][\dA-Fa-f:./]*$/

/** Like `cutTokens`, for addresses, some of which are as long as a token. */
export const cutAddresses = (text: string): string => text.replace(/[^\s,]+/g, (entry) => (ADDRESS.test(entry) ? entry : cutTokens(entry)))

const ID = /^[0-9A-Za-z]{16}$/

/** Returns whether this is the ID of a token. */
export const isId = (text: string): boolean => ID.test(text)
