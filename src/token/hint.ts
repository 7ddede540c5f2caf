/** Returns the part of a token that may be shown, such as `acme_live_4kQ0…`: the prefix and the first four characters of the ID, and no part of the secret. */
export function hintOf(prefix: string, id: string): string {
  return `${prefix}_${id.slice(0, 4)}…`
}
