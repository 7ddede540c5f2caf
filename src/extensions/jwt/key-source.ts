import { type CryptoKey, createLocalJWKSet, errors, type FlattenedJWSInput, type JWSHeaderParameters } from 'jose'
import { InvalidInputError, StoreUnavailableError } from '../../errors.js'
import { isSafeAddress } from '../../policy/safe-address.js'
import { callOut } from '../../store/deadline.js'
import type { Report } from '../../store/reporter.js'
import type { Jwk, JwkSet } from './jwk.js'
import { decodeKey, whyWeak } from './key-strength.js'
import { Refetch } from './refetch.js'

/** Finds the key that a token's header names; `undefined` where there is none. Throws `StoreUnavailableError` when it cannot know by `dueAt`, on the monotonic clock. */
export type KeySource = (
  header: JWSHeaderParameters,
  token: FlattenedJWSInput,
  dueAt: number,
) => Promise<CryptoKey | Uint8Array | undefined>

/** As the platform's `fetch`. */
export type Fetch = (
  url: string,
  init: { readonly headers: Record<string, string>; readonly redirect: 'error'; readonly signal: AbortSignal },
) => Promise<Response>

/** The one algorithm whose keys are shared secrets. */
const SECRET = 'HS256'
/** How long an issuer may take, discovery included. Who waits for it waits no longer than its own request may take. */
const FETCH_MS = 5000
const MAX_BYTES = 256 * 1024
/** How long fetched keys count without being fetched anew. */
const FRESH_MS = 10 * 60_000
/** How long they go on counting while they cannot be fetched anew. */
const STALE_MS = 24 * 3_600_000

/**
 * Keys that are at hand.
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
    // A set of jose finds no shared secrets.
    if (header.alg === SECRET) return secretOf(secrets, header.kid)
    try {
      return await find(header, token)
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }
}

function secretOf(secrets: readonly Jwk[], kid: string | undefined): Uint8Array | undefined {
  const [found, ...others] = kid === undefined ? secrets : secrets.filter((jwk) => jwk.kid === kid)
  return others.length === 0 ? decodeKey(found?.k) : undefined
}

/**
 * Keys that an issuer publishes: fetched once, kept for ten minutes, and for a day while they cannot be fetched anew.
 *
 * A `kid` that is not among them is no key's only where a fetch that began after it was presented says so. `url` may be found out late, as by discovery.
 */
export function remoteKeys(
  url: (dueAt: number) => Promise<string>,
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
    failing = true
    const set = await fetchJson(await url(dueAt), dueAt)
    if (!isKeySet(set)) throw new StoreUnavailableError("the issuer's key address answered no keys")
    // What somebody else published is not ours to mend: a weak key verifies nothing, and the others go on.
    const usable = set.keys.filter((jwk) => jwk.kty !== 'oct' && whyWeak(jwk) === undefined)
    if (usable.length === 0) throw new StoreUnavailableError("the issuer's key address answered no usable key")
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
      // Once the issuer has failed, nobody waits for it while there are keys that count.
      if (waits && tried !== undefined) await refetch.wait(left()).catch(ignored)
    }
    const find = (): ReturnType<KeySource> | undefined => keys?.(header, token, dueAt)
    return (await find()) ?? (await refetch.find(`${header.alg} ${header.kid ?? ''}`, asked, find, left))
  }
}

/**
 * The key address of an issuer, by its metadata (RFC 8414 §3, OpenID Connect Discovery §4). Asked for until it is known, then kept.
 *
 * @throws StoreUnavailableError `store_unavailable`, also when the metadata is another issuer's (RFC 8414 §3.3)
 */
export function discoverKeys(issuer: string, fetchJson: FetchJson): (dueAt: number) => Promise<string> {
  let known: string | undefined
  return async (dueAt) => {
    if (known !== undefined) return known
    const document = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, dueAt)
    const { issuer: named, jwks_uri: uri } = Object(document) as { issuer?: unknown; jwks_uri?: unknown }
    if (named !== issuer) throw new StoreUnavailableError("the issuer's metadata names another issuer")
    if (typeof uri !== 'string' || !isSafeAddress(uri)) throw new StoreUnavailableError("the issuer's metadata has no jwks_uri with https")
    known = uri
    return uri
  }
}

/** Fetches JSON from an issuer by `dueAt`, on the monotonic clock. */
export type FetchJson = (url: string, dueAt: number) => Promise<unknown>

/** Makes the way to an issuer: within a deadline and a size, and what fails is heard of. */
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
        if (!response.ok) throw new StoreUnavailableError(`the issuer answered ${response.status}`)
        return await response.text()
      },
      (text): unknown => {
        if (typeof text !== 'string' || text.length > MAX_BYTES) throw new StoreUnavailableError('the issuer answered too much')
        return JSON.parse(text)
      },
    )
  }
}

function isKeySet(value: unknown): value is JwkSet {
  const keys: unknown = Reflect.get(Object(value), 'keys')
  return Array.isArray(keys) && keys.length > 0 && keys.every((key) => typeof key === 'object' && key !== null)
}

// Told already.
function ignored(): undefined {
  return undefined
}
