/** ASCII letters in lower case, everything else as it is: what every database can do alike. */
export function foldAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}
