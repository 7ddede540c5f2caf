import { KEPT_OUT } from '../../policy/plain-text.js'

/** Control characters, which move a terminal's cursor, and those that are invisible or change the text around them. */
const UNSAFE = new RegExp(`${KEPT_OUT.source}|\\p{Cf}`, 'gu')

/** Makes text safe for a terminal, because a name that someone chose must not control the terminal. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}

/** JSON with the same meaning that is safe for a terminal. */
export function printableJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2)
  return text.replace(UNSAFE, (character) => (character === '\n' ? character : escapeUnits(character)))
}

function escapeUnits(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}
