/** A token's text, whole or begun: words joined by `_`, the id, and at least a little of the secret. */
const TOKEN = /[a-z][0-9a-z_]*_([0-9A-Za-z]{16})_[0-9A-Za-z]+/g
/** The same without its beginning. */
const TAIL = /\b([0-9A-Za-z]{16})_[0-9A-Za-z]{20,}/g

/** Cuts every token in a text to its id, which is no secret. What people paste must not get into an address or a log. */
export const cutTokens = (text: string): string => text.replace(TOKEN, '$1').replace(TAIL, '$1')

const ID = /^[0-9A-Za-z]{16}$/

/** Is this the id of a token? */
export const isId = (text: string): boolean => ID.test(text)
