/**
 * Reasons why a credential was refused without being checked. The texts are fixed, so they repeat no part of the credential, and fit into a quoted-string.
 */
export const WHY = {
  several: 'The request carries more than one credential',
  empty: 'The token is missing',
  long: 'The token is too long',
  noScheme: 'The value does not begin with a scheme',
  noSpace: 'The scheme must be followed by a space',
  fieldName: 'The value repeats the name of the header',
  scheme: 'The token is preceded by the wrong scheme',
  quotes: 'The value contains quotation marks',
  brackets: 'The token is in angle brackets, which are only placeholders',
  placeholder: 'The token is a placeholder that was not filled in',
  parameter: 'The token is sent as a parameter',
  comma: 'The value contains a comma',
  space: 'The token contains white space',
  character: 'The token contains an invalid character',
  base64: 'The value after Basic is not base64',
  pair: 'The value after Basic contains no colon',
} as const

/** One of the reasons. */
export type WhyMalformed = (typeof WHY)[keyof typeof WHY]

/** Returns why this field does not begin with a scheme. */
export function whyNoScheme(value: string): WhyMalformed {
  if (value === '') return WHY.empty
  if (/^["'`]/.test(value)) return WHY.quotes
  if (holdsSeveral(value)) return WHY.several
  if (/^authorization[ \t]*[:=]/i.test(value)) return WHY.fieldName
  return /^[a-z]+[^a-z]/i.test(value) ? WHY.noSpace : WHY.noScheme
}

/** Returns why this is not a token. */
export function whyNoToken(value: string): WhyMalformed {
  if (/^["'`]/.test(value)) return WHY.quotes
  if (value.includes(',')) return holdsSeveral(value) ? WHY.several : WHY.comma
  if (/^authorization[ \t]*[:=]/i.test(value)) return WHY.fieldName
  if (/^(?:bearer[ \t:=]|(?:basic|token|apikey)[ \t:])/i.test(value)) return WHY.scheme
  if (/^<.*>$/.test(value)) return WHY.brackets
  if (/^(?:\$|\{\{|%[^%]+%$)/.test(value)) return WHY.placeholder
  if (/\s/.test(value)) return WHY.space
  return /^[\w-]+=/.test(value) ? WHY.parameter : WHY.character
}

function holdsSeveral(value: string): boolean {
  return value.split(',').filter((element) => /[^ \t]/.test(element)).length > 1
}
