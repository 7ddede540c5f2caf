import { holdsToken } from '../token/redact.js'

const CONTROL = /\p{Cc}/u
/**
 * Characters that are invisible or reorder the text around them, so that different names look the same (Unicode TR 36 §2.3, §3.1). Unicode classifies most of
 * them as default-ignorable; the others are line separators, annotation anchors, and the blank braille pattern.
 */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800\ufff9-\ufffb]/u
/**
 * Invisible characters in places where they change the look of the preceding character: joiners after non-ASCII letters and within emoji, selectors
 * after emoji, keycaps, Han and Mongolian letters, and the tags of three flags (Unicode TR 51 §1.4, Annex C).
 */
const FITTING = new RegExp(
  [
    String.raw`(?<=(?=\P{ASCII})[\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}])[\u200c\u200d]`,
    String.raw`(?<=\p{Extended_Pictographic})[\ufe0e\ufe0f]`,
    String.raw`(?<=[0-9#*])\ufe0f(?=\u20e3)`,
    String.raw`(?<=\p{Script=Han})[\ufe00-\ufe0d\u{e0100}-\u{e01ef}]`,
    String.raw`(?<=\p{Script=Mongolian})[\u180b-\u180d\u180f]`,
    String.raw`(?<=\u{1f3f4})\u{e0067}\u{e0062}(?:\u{e0065}\u{e006e}|\u{e0073}\u{e0063}|\u{e0077}\u{e006c})[\u{e0067}\u{e0074}\u{e0073}]\u{e007f}`,
  ].join('|'),
  'gu',
)
const LONE_SURROGATE = /\p{Surrogate}/u

/** Control characters and all of the characters above, without exceptions. A character that would justify an exception can itself be removed. */
export const KEPT_OUT: RegExp = /[\p{Cc}\p{Surrogate}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800\ufff9-\ufffb]/gu

/** Returns external text without the characters that are not allowed in our own text. */
export function toPlain(text: string): string {
  return text.replace(KEPT_OUT, '')
}

/** The message for text that contains a token. It does not repeat the text. */
export const HOLDS_TOKEN = 'looks like a token, and tokens are never stored: pass its ID or its hint'

/** Returns why a string is not allowed: it has control or invisible characters, half of a surrogate pair, or a token, or its length is out of bounds. */
export function whyNotPlain(value: string, min: number, max: number): string | undefined {
  if (value.length < min) return min === 1 ? 'must not be empty' : `must be at least ${min} characters`
  if (value.length > max) return `must be at most ${max} characters`
  if (CONTROL.test(value)) return 'must not contain control characters'
  if (LONE_SURROGATE.test(value)) return 'must be well-formed Unicode'
  if (INVISIBLE.test(value) && INVISIBLE.test(value.replace(FITTING, '')))
    return 'must not contain invisible or direction-changing characters'
  return holdsToken(value) ? HOLDS_TOKEN : undefined
}
