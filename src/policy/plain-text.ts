import { holdsToken } from '../token/redact.js'

const CONTROL = /\p{Cc}/u
/**
 * Characters that are invisible or reorder the text around them: two names that differ would look alike (Unicode TR 36 §2.3, §3.1). A joiner behind
 * a letter outside of ASCII belongs to a script or to an emoji.
 */
const INVISIBLE = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]|(?:^|\p{ASCII})[\u200c\u200d]/u
const LONE_SURROGATE = /\p{Surrogate}/u

/** As above, and every joiner: what stands in front of one may be taken out as well. */
const KEPT_OUT = /[\p{Cc}\p{Surrogate}\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu

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
  if (INVISIBLE.test(value)) return 'must not contain invisible or direction-changing characters'
  return holdsToken(value) ? HOLDS_TOKEN : undefined
}
