/** Lowercases ASCII letters only, because every database can do that in the same way. */
export function foldAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
