/**
 * `_`, 16 digits of an id, `_`, and 20 or more digits of a secret, so that one cut short by a log line goes too.
 *
 * Starts at the underscore in front of the id, where little can match: time stays linear in the text, whatever the text.
 */
const TOKEN_TAIL = /(_|%5[Ff])([0-9A-Za-z]{4})[0-9A-Za-z]{12}(?:_|%5[Ff])[0-9A-Za-z]{20,}/g

/** Replaces everything in a text that looks like a token, of any prefix, with its hint: `acme_live_4kQ0…`. */
export function redact(text: string): string {
  return text.replace(TOKEN_TAIL, '$1$2…')
}

/** Is this a token, of any prefix, or a text with one in it? Its text is kept nowhere but in the answer that gave it. */
export function holdsToken(text: string): boolean {
  return redact(text) !== text
}

/** The text without this secret, as it is or as it stands in an address. */
export function withoutText(text: string, secret: string): string {
  if (secret === '') return text
  return [secret, encodeURIComponent(secret.toWellFormed())].reduce((rest, each) => rest.replaceAll(each, '…'), text)
}
