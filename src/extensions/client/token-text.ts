// The form of a token, without the checksum: `prefix_id_secret` and six more characters.
const FORM = /^([a-z][a-z0-9_]{0,23})_([0-9A-Za-z]{16})_[0-9A-Za-z]{49}$/

/** Has it the form of a token? Anything else never becomes a header: it might hold a line break, and platforms quote it in their errors. */
export function isToken(text: unknown): text is string {
  return typeof text === 'string' && FORM.test(text)
}

/** The id that stands in a token. */
export function idOf(token: string): string {
  return FORM.exec(token)?.[2] ?? ''
}

/** The form of a token's beginning. */
export function prefixOf(token: string): string {
  return FORM.exec(token)?.[1] ?? ''
}
