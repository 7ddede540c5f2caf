// The form of a token, without the checksum: `prefix_id_secret` and six more characters.
const FORM = /^([a-z][a-z0-9_]{0,23})_([0-9A-Za-z]{16})_[0-9A-Za-z]{49}$/

/**
 * Checks whether a string has the form of a token. Other text is never put into a header, because it might contain a line break, and platforms quote invalid
 * values in their errors.
 */
export function isToken(text: unknown): text is string {
  return typeof text === 'string' && FORM.test(text)
}

/** Returns the ID in a token. */
export function idOf(token: string): string {
  return FORM.exec(token)?.[2] ?? ''
}

/** Returns the prefix in a token. */
export function prefixOf(token: string): string {
  return FORM.exec(token)?.[1] ?? ''
}
