import { X509Certificate } from 'node:crypto'
import { InvalidInputError } from '../../errors.js'
import { ACTIONS, type AuditAction } from '../../model/event.js'
import type { Duration } from '../../model/record.js'
import { readNetworks } from '../../policy/network.js'
import { duration, EMPTY, plainText, wholeNumber } from '../../policy/option-kinds.js'
import { listOf, OptionReader, objectOf, oneOf, passing, readBy, readOption, string } from '../../policy/option-reader.js'
import { refuseUndefined } from '../../policy/read-input.js'
import { noneOf } from '../../policy/suggest.js'
import { type Destination, readDestination } from './destination.js'

/** A destination for events. */
export type WebhookEndpoint = {
  /** A permanent name: the position, the dead letters and the signing key are stored under it. 1 to 40 letters, digits, `-`, `_` and `.`. */
  readonly id: string
  /** An `https:` URL; `http:` only for this machine itself, if `allowPrivate` includes it. */
  readonly url: string
  /** Sends only these actions. @default all */
  readonly actions?: readonly AuditAction[]
  /** Sends only the events of this tenant. @default all events, including those without a tenant */
  readonly tenantId?: string
  /** Where a new endpoint starts: with events from now on, or with the oldest stored event. @default 'now' */
  readonly from?: 'now' | 'start'
}

/** Options of `webhooks`. */
export type WebhookOptions = {
  /**
   * The signing key of each endpoint is derived from it: at least 32 characters or bytes, not used for anything else. With a list, all keys sign, and
   * `secretOf` returns the secret of the first key, so that receivers can switch to it.
   */
  readonly webhookKey: string | Uint8Array | readonly (string | Uint8Array)[]
  /** At most 100. */
  readonly endpoints: readonly WebhookEndpoint[]
  /** The retry schedule. */
  readonly retry?: {
    /** The number of attempts after which an event becomes a dead letter, 1 to 50. @default 8 */
    readonly attempts?: number
    /** The first delay; each further delay is four times as long. @default '5s' */
    readonly first?: Duration
    /** The longest delay, even if the receiver asks for a longer one; jitter may add up to a fifth. @default '6h' */
    readonly longest?: Duration
  }
  /** How long a receiver may take to respond, including the DNS lookup and connecting. @default '15s' */
  readonly timeout?: Duration
  /** Addresses and CIDR ranges that may be reached even though they are not public. @default none */
  readonly allowPrivate?: readonly string[]
  /** Trusted CA certificates in PEM, for receivers without a public certificate. @default those of Node */
  readonly ca?: string
}

/** The validated options. */
export type ReadOptions = {
  readonly webhookKey: readonly Uint8Array[]
  readonly endpoints: readonly (Omit<ReadEndpoint, 'url'> & { readonly destination: Destination })[]
  readonly retry: { readonly attempts: number; readonly firstMs: number; readonly longestMs: number }
  readonly timeoutMs: number
  readonly ca: string | undefined
}

type ReadEndpoint = Required<Pick<WebhookEndpoint, 'id' | 'url' | 'from'>> & {
  readonly [Name in 'actions' | 'tenantId']?: WebhookEndpoint[Name] | undefined
}

const ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/
const LEAST_BYTES = 32
const LEAST_DISTINCT = 8
const KEY = 'must be at least 32 random bytes, as text or as a Uint8Array, such as the output of "openssl rand -base64 32"'
const SHORT = `is too short: it ${KEY}`
const UNVARIED = `has too few different bytes for a random key: it ${KEY}`

const bytesOf = (value: string | Uint8Array): Uint8Array =>
  typeof value === 'string' ? new TextEncoder().encode(value) : Uint8Array.from(value)

const keyBytes = passing<string | Uint8Array>((value) => typeof value === 'string' || value instanceof Uint8Array, KEY)
  .into(bytesOf)
  .and((bytes) => bytes.length > 0, EMPTY)
  .and((bytes) => bytes.length >= LEAST_BYTES, SHORT)
  .and((bytes) => new Set(bytes).size >= LEAST_DISTINCT, UNVARIED)

const manyKeys = listOf(keyBytes, { min: 1, max: 5, error: KEY, range: 'must be a list of one to five keys' })

// An error in a single key names `webhookKey`, not the first item of a list that the host did not write.
const keys = new OptionReader((input, place, found) =>
  Array.isArray(input) ? manyKeys.at(input, place, found) : [keyBytes.at(input, place, found)],
)

const endpoint = objectOf({
  id: string('must be text').and((id) => ID.test(id), 'must be a name such as "crm": 1 to 40 letters, digits, "-", "_" and "."'),
  // The URL may contain a secret, so no message includes it.
  url: string('must be text'),
  actions: listOf(
    oneOf(ACTIONS, (input) => noneOf(ACTIONS)({ input })),
    { min: 1, range: 'must not be empty' },
  ).optional(),
  tenantId: plainText(1, 255).optional(),
  from: oneOf(['now', 'start'], "must be 'now' or 'start'").default('now'),
})

const schema = objectOf({
  webhookKey: keys,
  endpoints: listOf(endpoint, { max: 100, range: 'must have at most 100 entries' }),
  retry: objectOf({
    attempts: wholeNumber(1, 50).default(8),
    first: duration({ min: 0.01, max: 3600, fraction: true }).default(5),
    longest: duration({ min: 1, max: 7 * 86_400 }).default(6 * 3600),
  }).default({ attempts: 8, first: 5, longest: 6 * 3600 }),
  timeout: duration({ min: 0.1, max: 300, fraction: true }).default(15),
  allowPrivate: readBy((input) => readNetworks([], input)).default([]),
  ca: passing<string>(areCertificates, 'must be the text of PEM certificates, not a path').optional(),
})

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

// Node ignores text in which it finds no certificate.
function areCertificates(value: unknown): boolean {
  const found = typeof value === 'string' ? (value.match(PEM_CERTIFICATE) ?? []) : []
  try {
    for (const certificate of found) new X509Certificate(certificate)
  } catch {
    return false
  }
  return found.length > 0
}

/**
 * Validates the options.
 *
 * @throws InvalidInputError `invalid_input`
 */
export function readOptions(options: unknown): ReadOptions {
  refuseLostFilters(options)
  const { webhookKey, endpoints, retry, timeout, allowPrivate, ca } = readOption(schema, options, 'options')
  const ids = new Set<string>()
  return {
    webhookKey,
    endpoints: endpoints.map(({ url, ...endpoint }, at) => {
      if (ids.has(endpoint.id)) throw new InvalidInputError(['endpoints', at, 'id'], 'is in the list twice')
      ids.add(endpoint.id)
      return { ...endpoint, destination: readDestination(['endpoints', at, 'url'], url, allowPrivate) }
    }),
    retry: { attempts: retry.attempts, firstMs: retry.first * 1000, longestMs: retry.longest * 1000 },
    timeoutMs: timeout * 1000,
    ca,
  }
}

// Without these filters, an endpoint receives more events, so a lost value must not go unnoticed.
function refuseLostFilters(options: unknown): void {
  const endpoints: unknown = Reflect.get(Object(options), 'endpoints')
  if (!Array.isArray(endpoints)) return
  for (const [at, given] of endpoints.entries()) refuseUndefined(given, ['tenantId', 'actions'], 'to send everything', ['endpoints', at])
}
