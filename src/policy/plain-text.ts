import { holdsToken } from '../token/redact.js'

const CONTROL = /\p{Cc}/u
/**
 * Characters that are invisible or reorder the text around them: two names that differ would look alike (Unicode TR 36 §2.3, §3.1). Unicode calls most of
 * them default-ignorable; separators of lines, anchors of annotations and the blank braille pattern are the others.
 */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800\ufff9-\ufffb]/u
/**
 * Those of them that change how the character in front of them looks, where they do: joiners behind letters outside of ASCII and within emoji, selectors
 * behind emoji, keycaps, Han and Mongolian letters, and the tags that make three flags (Unicode TR 51 §1.4, Annex C).
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

/** As above, and all of them: what stands in front of one may be taken out as well. */
const KEPT_OUT = /[\p{Cc}\p{Surrogate}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800\ufff9-\ufffb]/gu

/** A text that somebody else wrote, without the characters that no text of ours may have. */
export function toPlain(text: string): string {
  return text.replace(KEPT_OUT, '')
}

/** The message for a text that holds a token. The text is not repeated. */
export const HOLDS_TOKEN = 'looks like a token, and tokens are never stored: give its id or its hint'

/** Why this is no text that every store keeps byte for byte, and that people see as it is: no control or invisible characters, no half of a surrogate pair, no token. */
export function whyNotPlain(value: string, min: number, max: number): string | undefined {
  if (value.length < min) return min === 1 ? 'must not be empty' : `must be at least ${min} characters`
  if (value.length > max) return `must be at most ${max} characters`
  if (CONTROL.test(value)) return 'must not contain control characters'
  if (LONE_SURROGATE.test(value)) return 'must be well-formed Unicode'
  if (INVISIBLE.test(value) && INVISIBLE.test(value.replace(FITTING, '')))
    return 'must not contain invisible or direction-changing characters'
  return holdsToken(value) ? HOLDS_TOKEN : undefined
}
