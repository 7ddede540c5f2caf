import { type CryptoKey, createLocalJWKSet, errors, type FlattenedJWSInput, flattenedVerify, type JWSHeaderParameters } from 'jose'
import { InvalidInputError, StoreUnavailableError } from '../../errors.js'
import { readRawText } from '../../http/fetch-answer.js'
import { isSafeAddress } from '../../policy/safe-address.js'
import { callOut } from '../../store/deadline.js'
import type { Report } from '../../store/reporter.js'
import type { Jwk, JwkSet } from './jwk.js'
import { decodeKey, whyWeak } from './key-strength.js'
import { Refetch } from './refetch.js'

/**
 * Returns the key that a token's header names, or `undefined` if there is none. Throws `StoreUnavailableError` if this is still unknown at `dueAt` on the
 * monotonic clock.
 */
export type KeySource = (
  header: JWSHeaderParameters,
  token: FlattenedJWSInput,
  dueAt: number,
) => Promise<CryptoKey | Uint8Array | undefined>

/** Same signature as the platform's `fetch`. */
export type Fetch = (
  url: string,
  init: { readonly headers: Record<string, string>; readonly redirect: 'error'; readonly signal: AbortSignal },
) => Promise<Response>

/** The only algorithm with shared secrets. */
const SECRET = 'HS256'
/** How many keys are tried for a token that does not name its key. */
const MOST_TRIED = 8
/** How long an issuer may take, including discovery. A waiting request waits no longer than its own deadline. */
const FETCH_MS = 5000
const MAX_BYTES = 256 * 1024
/** How long fetched keys are used before they are fetched again. */
const FRESH_MS = 10 * 60_000
/** How long a discovered key set URL is used before it is looked up again. */
const DISCOVERED_MS = 24 * 3_600_000
/** How long keys stay in use while they cannot be fetched again. */
const STALE_MS = 24 * 3_600_000

/**
 * Creates a source of keys that are already in memory.
 *
 * @throws InvalidInputError `invalid_input`, for a key that is too weak
 */
export function localKeys(set: JwkSet): KeySource {
  for (const [at, jwk] of set.keys.entries()) {
    const weakness = whyWeak(jwk)
    if (weakness !== undefined) throw new InvalidInputError(['keys', at], weakness)
  }
  const find = createLocalJWKSet({ keys: set.keys.filter(({ kty }) => kty !== 'oct') })
  const secrets = set.keys.filter(({ kty, alg, use }) => kty === 'oct' && (alg ?? SECRET) === SECRET && (use ?? 'sig') === 'sig')
  return async (header, token) => {
    // The key sets of jose do not find shared secrets.
    if (header.alg === SECRET) {
      const named = secretsOf(secrets, header.kid)
      return named.length > 1 ? fitting(token, named) : named[0]
    }
    try {
      return await find(header, token)
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys) return fitting(token, error)
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }
}

function secretsOf(secrets: readonly Jwk[], kid: string | undefined): readonly Uint8Array[] {
  return secrets.flatMap((jwk) => (kid === undefined || jwk.kid === kid ? (decodeKey(jwk.k) ?? []) : []))
}

/** Returns the key that verifies the signature. RFC 7515 §4.1.4: a token need not name its key, so several may come into question. */
async function fitting<K extends CryptoKey | Uint8Array>(
  token: FlattenedJWSInput,
  keys: AsyncIterable<K> | Iterable<K>,
): Promise<K | undefined> {
  let tried = 0
  for await (const key of keys) {
    tried += 1
    if (tried > MOST_TRIED) return undefined
    const fits = await flattenedVerify(token, key).then(
      () => true,
      () => false,
    )
    if (fits) return key
  }
  return undefined
}

/**
 * Creates a source of keys that an issuer publishes. They are fetched once and kept for ten minutes, or for a day while they cannot be fetched again.
 *
 * An unknown `kid` is rejected only after a fetch that began after it was presented. `url` may be resolved lazily, for example through discovery.
 */
export function remoteKeys(
  url: KeyAddress,
  fetchJson: FetchJson,
  report: Report,
  monotonic: () => number = () => performance.now(),
): KeySource {
  let keys: KeySource | undefined
  let fetchedAt = Number.NEGATIVE_INFINITY
  let failing = false

  async function load(): Promise<void> {
    const begunAt = monotonic()
    const dueAt = begunAt + FETCH_MS
    const address = url(dueAt, failing)
    failing = true
    const set = await fetchJson(await address, dueAt)
    if (!isKeySet(set)) throw new StoreUnavailableError("the issuer's key URL returned no keys")
    // We cannot fix what others publish. A weak key verifies nothing, and the other keys stay in use.
    const usable = set.keys.filter((jwk) => jwk.kty !== 'oct' && whyWeak(jwk) === undefined)
    if (usable.length === 0) throw new StoreUnavailableError("the issuer's key URL returned no usable key")
    keys = localKeys({ keys: usable })
    fetchedAt = begunAt
    failing = false
  }
  const refetch = new Refetch(load, monotonic)

  return async (header, token, dueAt) => {
    const left = (): number => dueAt - monotonic()
    const asked = refetch.now
    const age = monotonic() - fetchedAt
    if (age >= STALE_MS) await refetch.wait(left())
    else if (age >= FRESH_MS) {
      const waits = !failing
      const tried = refetch.begin()?.catch((error: unknown) => report('keys', error))
      // Once the issuer has failed, no request waits for it while usable keys exist.
      if (waits && tried !== undefined) await refetch.wait(left()).catch(ignored)
    }
    const find = (): ReturnType<KeySource> | undefined => keys?.(header, token, dueAt)
    return (await find()) ?? (await refetch.find(`${header.alg} ${header.kid ?? ''}`, asked, find, left))
  }
}

/** Returns where an issuer publishes its keys. `failed` means that the last returned address did not work. */
export type KeyAddress = (dueAt: number, failed: boolean) => Promise<string>

/**
 * Discovers an issuer's key set URL from its metadata (RFC 8414 §3, OpenID Connect Discovery §4). Keeps it for a day, or until a fetch from it fails, so
 * an issuer may move its keys. A failed discovery counts like a failed fetch, so known keys stay in use for the same time.
 *
 * @throws StoreUnavailableError `store_unavailable`, including when the metadata belongs to a different issuer (RFC 8414 §3.3)
 */
export function discoverKeys(issuer: string, fetchJson: FetchJson, monotonic: () => number = () => performance.now()): KeyAddress {
  let known: { readonly uri: string; readonly at: number } | undefined
  return async (dueAt, failed) => {
    const now = monotonic()
    if (known !== undefined && !failed && now - known.at < DISCOVERED_MS) return known.uri
    const document = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, dueAt)
    const { issuer: named, jwks_uri: uri } = Object(document) as { issuer?: unknown; jwks_uri?: unknown }
    if (named !== issuer) throw new StoreUnavailableError("the issuer's metadata names a different issuer")
    if (typeof uri !== 'string' || !isSafeAddress(uri)) throw new StoreUnavailableError("the issuer's metadata has no https jwks_uri")
    known = { uri, at: now }
    return uri
  }
}

/** Fetches JSON from an issuer by `dueAt`, on the monotonic clock. */
export type FetchJson = (url: string, dueAt: number) => Promise<unknown>

/** Creates the function that fetches from an issuer, with a deadline and a size limit, and reports errors. */
export function createFetchJson(fetch: Fetch, report: Report, monotonic: () => number = () => performance.now()): FetchJson {
  return async function fetchJson(url, dueAt) {
    const leftMs = dueAt - monotonic()
    return await callOut(
      { what: 'fetching from the issuer', where: 'keys', deadlineMs: FETCH_MS, leftMs, report },
      async () => {
        const response = await fetch(url, {
          headers: { accept: 'application/json' },
          redirect: 'error',
          signal: AbortSignal.timeout(Math.ceil(leftMs)),
        })
        if (!response.ok) throw new StoreUnavailableError(`the issuer returned ${response.status}`)
        return await readRawText(response, MAX_BYTES)
      },
      (text): unknown => JSON.parse(String(text)),
    )
  }
}

function isKeySet(value: unknown): value is JwkSet {
  const keys: unknown = Reflect.get(Object(value), 'keys')
  return Array.isArray(keys) && keys.length > 0 && keys.every((key) => typeof key === 'object' && key !== null)
}

// Already reported.
function ignored(): undefined {
  return undefined
}
