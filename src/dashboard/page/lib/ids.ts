/** An ID in quotes, up to the next comma, or an ID as it is. */
const ENTRY = /[^\S\n]*(?:("(?:[^"\\]|\\.)*")[^\S\n]*(?=[,\n]|$)|([^,\n]*))(?:[,\n]|$)/g

/** Reads IDs that are separated by commas or line breaks. An ID in quotes is a JSON string, so that it may contain commas and spaces. */
export const readIds = (text: string): readonly string[] =>
  [...text.matchAll(ENTRY)].map(([, quoted, plain = '']) => (quoted === undefined ? plain.trim() : unquoted(quoted))).filter(Boolean)

/** Writes IDs so that `readIds` returns the same IDs. */
export const textOfIds = (ids: readonly string[]): string =>
  ids.map((id) => (readIds(id).length === 1 && readIds(id)[0] === id ? id : JSON.stringify(id))).join(', ')

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text))
  } catch {
    return text
  }
}
