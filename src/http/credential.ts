import { InvalidInputError } from '../errors.js'
import { fieldValues, type HeaderSource } from './request.js'

/** Where the token stands: `Authorization: Bearer …`, or a header of its own. */
export type CredentialSource = 'bearer' | { readonly header: string }

/** What a request presents. */
export type Credential =
  | { readonly kind: 'missing' }
  | { readonly kind: 'malformed'; readonly reason: string }
  | { readonly kind: 'token'; readonly token: string }

/** Reads the credential from the fields of a request. */
export type CredentialReader = {
  /** The lower-case name of the field that is read. */
  readonly header: string
  readonly read: (headers: HeaderSource) => Credential
}

/** Longer values are refused unread. */
const MAX_LENGTH = 8192

const MISSING: Credential = { kind: 'missing' }
// RFC 6750 §2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/
// RFC 9110 §11.4: credentials = auth-scheme [ 1*SP ( token68 / #auth-param ) ], the scheme in any case (§11.1)
const SCHEME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?= |$)/
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const AUTH_PARAM = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"|[!#$%&'*+\-.^_`|~0-9A-Za-z]+)$/

/** Fields whose content has another meaning, or that browsers send by themselves. */
const RESERVED = new Set(['authorization', 'cookie', 'host', 'origin', 'proxy-authorization', 'referer', 'set-cookie'])

/**
 * Makes the reader for the option `credential`.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function createCredentialReader(source: CredentialSource = 'bearer'): CredentialReader {
  if (source === 'bearer') return { header: 'authorization', read: (headers) => readField(headers, 'authorization', readBearer) }
  const header = headerName(source)
  return { header, read: (headers) => readField(headers, header, readToken) }
}

/** Reads the credential of a request once. For many requests, `createCredentialReader` checks the option only once. */
export function readCredential(headers: HeaderSource, options: { readonly credential?: CredentialSource } = {}): Credential {
  return createCredentialReader(options.credential).read(headers)
}

function headerName(source: unknown): string {
  const keys = typeof source === 'object' && source !== null ? Object.keys(source) : []
  const header: unknown = keys.length === 1 && keys[0] === 'header' ? Reflect.get(Object(source), 'header') : undefined
  if (typeof header !== 'string') throw new InvalidInputError('credential', "must be 'bearer' or { header: 'x-api-key' }")
  if (header.length > 64 || !FIELD_NAME.test(header)) throw new InvalidInputError('credential.header', 'is not the name of a header')
  const name = header.toLowerCase()
  if (RESERVED.has(name)) throw new InvalidInputError('credential.header', `${name} cannot carry a bare token`)
  return name
}

function readField(headers: HeaderSource, name: string, parse: (value: string) => Credential): Credential {
  const values = fieldValues(headers, name)
  const first = values[0]
  if (first === undefined) return MISSING
  if (values.length > 1) return malformed(`more than one ${name} header`)
  return parse(trimmed(first))
}

function readBearer(value: string): Credential {
  const scheme = SCHEME.exec(value)?.[0]
  if (scheme === undefined) return malformed('no authentication scheme')
  if (scheme.length !== 6 || scheme.toLowerCase() !== 'bearer') {
    return holdsSecondCredential(value.slice(scheme.length)) ? malformed('more than one credential') : MISSING
  }
  let start = 6
  while (value.charCodeAt(start) === 0x20) start += 1
  return readToken(value.slice(start))
}

function readToken(value: string): Credential {
  if (value.length === 0) return malformed('no token')
  if (value.length > MAX_LENGTH) return malformed('too long')
  return B64TOKEN.test(value) ? { kind: 'token', token: value } : malformed('characters that no token has')
}

// Where repeated fields arrive joined with commas, a second credential shows as a list element that is no parameter of the first.
function holdsSecondCredential(rest: string): boolean {
  if (!rest.includes(',') || rest.length > MAX_LENGTH) return false
  return splitList(rest)
    .slice(1)
    .some((element) => !AUTH_PARAM.test(element))
}

function splitList(text: string): readonly string[] {
  const elements: string[] = []
  let start = 0
  let quoted = false
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index]
    if (quoted && char === '\\') index += 1
    else if (char === '"') quoted = !quoted
    else if (char === ',' && !quoted) {
      elements.push(trimmed(text.slice(start, index)))
      start = index + 1
    }
  }
  elements.push(trimmed(text.slice(start)))
  return elements
}

// RFC 9110 §5.5: white space around a field's value is not part of it. Only space and tab are white space here.
function trimmed(value: string): string {
  let start = 0
  let end = value.length
  while (start < end && isBlank(value.charCodeAt(start))) start += 1
  while (end > start && isBlank(value.charCodeAt(end - 1))) end -= 1
  return start === 0 && end === value.length ? value : value.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function malformed(reason: string): Credential {
  return { kind: 'malformed', reason }
}
