import { InvalidInputError } from '../errors.js'
import type { ForeignShapes } from '../model/foreign-shapes.js'
import { TICKET_PROTOCOL } from '../model/ticket.js'
import { holdsOwnToken } from '../token/redact.js'
import { decodeBase64 } from './base64.js'
import { fieldValues, type HeaderSource, soleFieldValue } from './request.js'
import { WHY, type WhyMalformed, whyNoScheme, whyNoToken } from './why-malformed.js'

/**
 * Where a request carries the token: `Authorization: Bearer …`, a custom header, or `Authorization: Basic …` (RFC 7617), with the token as the user
 * name or password.
 */
export type CredentialSource = 'bearer' | 'basic' | { readonly header: string }

/** The credential that a request presents. */
export type Credential =
  | { readonly kind: 'missing' }
  | { readonly kind: 'malformed'; readonly reason: WhyMalformed }
  /** `resent`: browsers resend it automatically, as they do with Basic. */
  | { readonly kind: 'token'; readonly token: string; readonly resent?: true }
  /** Browsers cannot set a header on a WebSocket, so they offer the ticket as a subprotocol. */
  | { readonly kind: 'ticket'; readonly ticket: string }

/** A credential that an instance decides on. */
export type Decidable = Extract<Credential, { readonly kind: 'token' | 'ticket' }>

/** Reads the credential from the fields of a request. */
export type CredentialReader = {
  /** Names of the fields that are read, in lower case. */
  readonly fields: readonly string[]
  /** Challenges that state where a token is expected, each as a function of the realm. */
  readonly challenges: readonly ((realm: string) => string)[]
  /** Human-readable instructions for sending a token. */
  readonly howTo: string
  readonly read: (headers: HeaderSource) => Credential
}

/** Longer values are refused without being parsed. */
const MAX_LENGTH = 8192

const MISSING: Credential = { kind: 'missing' }
const NO_SHAPES: ForeignShapes = { schemes: [], admits: () => false }
/** Maximum length of a scheme. */
const LONGEST_SCHEME = 32
// RFC 6750 §2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
const B64TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/
// RFC 9110 §11.4: credentials = auth-scheme [ 1*SP ( token68 / #auth-param ) ], where the scheme is case-insensitive (§11.1)
const SCHEME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?= |$)/
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const AUTH_PARAM = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*=[ \t]*(?:"(?:[^"\\]|\\.)*"|[!#$%&'*+\-.^_`|~0-9A-Za-z]+)$/

/** Fields with another meaning, or that browsers send automatically. */
const RESERVED = new Set(['authorization', 'cookie', 'host', 'origin', 'proxy-authorization', 'referer', 'set-cookie'])

/**
 * Creates the reader for the `credential` option: one source or a list. A request may present only one credential; several are refused, even if they are equal.
 *
 * With `tickets`, also reads a ticket in `Sec-WebSocket-Protocol`. `foreign` also admits credentials of other systems, including ones
 * that RFC 6750 does not allow.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function createCredentialReader(
  option: CredentialSource | readonly CredentialSource[] = 'bearer',
  tickets: boolean = false,
  foreign: ForeignShapes = NO_SHAPES,
): CredentialReader {
  const given: readonly unknown[] = Array.isArray(option) ? option : [option]
  if (given.length === 0) throw new InvalidInputError('credential', `must be ${EXPECTED}`)
  const headers = given.filter((source) => source !== 'bearer' && source !== 'basic').map(headerName)
  const schemes = { bearer: given.includes('bearer'), basic: given.includes('basic'), foreign }
  const parts: readonly Part[] = [...(schemes.bearer ? [BEARER] : []), ...headers.map(partOf), ...(schemes.basic ? [BASIC] : [])]
  if (new Set(given.map((source) => JSON.stringify(source).toLowerCase())).size < given.length) {
    throw new InvalidInputError('credential', 'names the same source twice')
  }
  const readAuthorization = (value: string): Credential => readScheme(value, schemes)
  const readers = [
    ...(schemes.bearer || schemes.basic ? [(from: HeaderSource) => readField(from, 'authorization', readAuthorization)] : []),
    ...headers.map((name) => (from: HeaderSource) => readField(from, name, (value) => readToken(value, foreign))),
    ...(tickets ? [readTicket] : []),
  ]
  const [first = () => MISSING] = readers
  return {
    fields: [...(schemes.bearer || schemes.basic ? ['authorization'] : []), ...headers],
    challenges: parts.map(({ challenge }) => challenge),
    howTo: `send ${[...parts.map(({ howTo }) => howTo), ...(tickets ? ['a ticket in Sec-WebSocket-Protocol'] : [])].join(' or ')}`,
    read: readers.length === 1 ? first : (from) => onlyOne(readers.map((read) => read(from))),
  }
}

/** Reads the credential of one request. For many requests, create a reader with `createCredentialReader`, which checks the option only once. */
export function readCredential(
  headers: HeaderSource,
  options: { readonly credential?: CredentialSource | readonly CredentialSource[] } = {},
): Credential {
  return createCredentialReader(options.credential).read(headers)
}

type Schemes = { readonly bearer: boolean; readonly basic: boolean; readonly foreign: ForeignShapes }

type Part = { readonly challenge: (realm: string) => string; readonly howTo: string }

const EXPECTED = "'bearer', 'basic', { header: 'x-api-key' }, or a non-empty list of these"

const BEARER: Part = { challenge: (realm) => `Bearer realm=${realm}`, howTo: 'Authorization: Bearer <token>' }
// RFC 7617 §2, §2.1
const BASIC: Part = {
  challenge: (realm) => `Basic realm=${realm}, charset="UTF-8"`,
  howTo: 'Authorization: Basic with the token as user name and an empty password',
}

function partOf(header: string): Part {
  // For a token in a custom header, a `Bearer` challenge would point callers to the wrong place.
  return { challenge: (realm) => `ApiKey realm=${realm}, header="${header}"`, howTo: `${header}: <token>` }
}

function onlyOne(credentials: readonly Credential[]): Credential {
  const presented = credentials.filter(({ kind }) => kind !== 'missing')
  return presented.length > 1 ? malformed(WHY.several) : (presented[0] ?? MISSING)
}

function headerName(source: unknown): string {
  const keys = typeof source === 'object' && source !== null ? Object.keys(source) : []
  const header: unknown = keys.length === 1 && keys[0] === 'header' ? Reflect.get(Object(source), 'header') : undefined
  if (typeof header !== 'string') throw new InvalidInputError('credential', `must be ${EXPECTED}`)
  if (header.length > 64 || !FIELD_NAME.test(header)) throw new InvalidInputError('credential.header', 'is not the name of a header')
  const name = header.toLowerCase()
  if (RESERVED.has(name)) throw new InvalidInputError('credential.header', `${name} cannot carry a bare token`)
  return name
}

function readField(headers: HeaderSource, name: string, parse: (value: string) => Credential): Credential {
  const value = soleFieldValue(headers, name)
  if (value === undefined) return MISSING
  return value === null ? malformed(WHY.several) : parse(trimmed(value))
}

// RFC 6455 §11.3.4: repeated fields are equivalent to one field with a list.
function readTicket(headers: HeaderSource): Credential {
  const offered = fieldValues(headers, 'sec-websocket-protocol').flatMap((value) => value.split(','))
  const [first, ...more] = offered.map(trimmed).filter(isTicketProtocol)
  if (first === undefined) return MISSING
  return more.length > 0 ? malformed(WHY.several) : { kind: 'ticket', ticket: first.slice(TICKET_PROTOCOL.length) }
}

/** Checks whether this subprotocol carries a ticket, ignoring case. A ticket must not be disclosed. */
export function isTicketProtocol(protocol: string): boolean {
  return protocol.slice(0, TICKET_PROTOCOL.length).toLowerCase() === TICKET_PROTOCOL
}

function readScheme(value: string, schemes: Schemes): Credential {
  const scheme = value.startsWith('Bearer ') ? 'Bearer' : SCHEME.exec(value)?.[0]
  if (scheme === undefined) return malformed(whyNoScheme(value))
  const name = scheme.length > LONGEST_SCHEME ? '' : scheme.toLowerCase()
  const bearer = schemes.bearer && (name === 'bearer' || schemes.foreign.schemes.includes(name))
  if (!bearer && !(name === 'basic' && schemes.basic)) {
    return holdsSecondCredential(value.slice(scheme.length)) ? malformed(WHY.several) : MISSING
  }
  let start = scheme.length
  while (value.charCodeAt(start) === 0x20) start += 1
  return bearer ? readToken(value.slice(start), schemes.foreign) : readBasic(value.slice(start), schemes.foreign)
}

// RFC 7617 §2: user-pass = user-id ":" password, in base64.
function readBasic(value: string, foreign: ForeignShapes): Credential {
  const credential = readToken(value, NO_SHAPES)
  if (credential.kind !== 'token') return value === '' || value.includes(',') ? credential : malformed(WHY.base64)
  const pair = decodeBase64(value)
  if (pair === undefined) return malformed(WHY.base64)
  const colon = pair.indexOf(':')
  if (colon === -1) return malformed(WHY.pair)
  const token = chooseToken(pair.slice(0, colon), pair.slice(colon + 1))
  if (token === undefined) return malformed(WHY.several)
  const read = readToken(token, foreign)
  return read.kind === 'token' ? { ...read, resent: true } : read
}

// Stripe takes the token as the user name; GitHub takes it with any user name or any password. Two tokens count as two credentials.
function chooseToken(user: string, password: string): string | undefined {
  const named = holdsOwnToken(user)
  if (holdsOwnToken(password)) return named ? undefined : password
  return named || password === '' ? user : password
}

function readToken(value: string, foreign: ForeignShapes): Credential {
  if (value.length === 0) return malformed(WHY.empty)
  if (value.length > MAX_LENGTH) return malformed(WHY.long)
  return B64TOKEN.test(value) || foreign.admits(value) ? { kind: 'token', token: value } : malformed(whyNoToken(value))
}

// When repeated fields arrive joined with commas, a second credential appears as a list element that is not a parameter of the first.
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

// RFC 9110 §5.5: whitespace around a field's value is not part of it. Only space and tab count as whitespace.
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

function malformed(reason: WhyMalformed): Credential {
  return { kind: 'malformed', reason }
}
