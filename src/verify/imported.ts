import type { ImportedChanges } from '../activity/imported-changes.js'
import { BoundedMap } from '../cache/bounded-map.js'
import { StoreUnavailableError } from '../errors.js'
import type { FormatClaim, TokenFormat } from '../model/format.js'
import type { MaybePromise } from '../model/json.js'
import type { Presenter } from '../model/presenter.js'
import type { StoredToken } from '../model/record.js'
import { hasEnded, type Imports } from '../policy/imports.js'
import type { Report } from '../store/reporter.js'
import { equalDigests } from '../token/compare.js'
import type { Digester } from '../token/digest.js'
import { defaultEngine } from '../token/hash.js'
import { parseAnyToken } from '../token/parse.js'
import { askFormat, type SlowHashes } from './slow-hashes.js'

/** Longer credentials are refused, as in requests. */
const MAX_LENGTH = 8192
const MAX_WRONG = 1000
/** Visible ASCII except the double quote and the comma, which would turn a header into a list. */
const CREDENTIAL = /^[!#-+\--~]+$/

/** A possible match of a credential: the token with this ID, in this format. */
export type Claim = {
  readonly id: string
  readonly format: TokenFormat
  /** The format is no longer accepted: the claim can only refuse what another claim accepts. */
  readonly ended: boolean
  readonly key: string
  readonly credential: string
  /** The text that is digested, with any of the peppers. */
  readonly body: string
}

/** The fields of a record that a claim is checked against. */
export type Provable = {
  readonly id: string
  /** Compares a digest with that of the record in constant time. */
  readonly hasDigest: (digest: string) => boolean
  readonly importedFrom?: string | undefined
  readonly importedHash?: string | undefined
  /** The keyed fingerprint of the row that this hash was imported from. */
  readonly importedMark?: string | undefined
}

/** Returns the fields of a stored record that a claim is checked against. */
export function provableOf({ id, digest, importedFrom, importedHash, requestHash: importedMark }: StoredToken): Provable {
  return { id, hasDigest: (given) => equalDigests(digest, given), importedFrom, importedHash, importedMark }
}

/** Options for recognizing and checking imported tokens. */
export type ImportedOptions = {
  readonly imports: Imports
  readonly digesters: readonly [Digester, ...Digester[]]
  readonly clock: () => number
  readonly report: Report
  readonly slow: SlowHashes
  readonly changes: ImportedChanges
  readonly scheduleFlush: () => void
}

/** Recognizes and checks tokens that other systems issued, in the formats of the `imports` option. */
export class Imported {
  readonly #options: ImportedOptions
  /** Pairs of a credential and a slow hash that do not match, keyed by a digest of both. */
  readonly #wrong: BoundedMap<{ visited: boolean }> = new BoundedMap(MAX_WRONG)

  constructor(options: ImportedOptions) {
    this.#options = options
  }

  /**
   * Returns the tokens that a credential may belong to, one for each format that it fits. Those of formats that are no longer accepted come last, and
   * never alone. A token of this library fits no format, regardless of its prefix.
   *
   * With `everKnown`, formats that are no longer accepted count like the others: this recognizes a credential that must not be taken for something else.
   *
   * @throws StoreUnavailableError `store_unavailable`, if the host's `read` function fails
   */
  claims(credential: unknown, everKnown: boolean = false): readonly Claim[] {
    if (typeof credential !== 'string' || credential.length > MAX_LENGTH || !CREDENTIAL.test(credential)) return []
    if (parseAnyToken(credential) !== undefined) return []
    const { imports, clock } = this.#options
    const now = clock()
    const isOver = (format: TokenFormat): boolean => !everKnown && hasEnded(format, now)
    const claim = (format: TokenFormat): readonly Claim[] => {
      const read = this.#read(format, credential)
      if (read === undefined) return []
      const id = imports.keys.idOf(format.name, read.key)
      const body = imports.keys.bodyOf(format.name, id, read.proof)
      return [{ id, format, ended: isOver(format), key: read.key, credential, body }]
    }
    const accepted = imports.formats.filter((format) => !isOver(format)).flatMap(claim)
    return accepted.length === 0 ? [] : [...accepted, ...imports.formats.filter(isOver).flatMap(claim)]
  }

  /** Revokes the other tokens that have the same secret as this revoked token, soon and off the request path. */
  endWith(revokedId: string, ids: readonly string[]): void {
    for (const id of ids) this.#options.changes.end(id, revokedId)
    if (ids.length > 0) this.#options.scheduleFlush()
  }

  /**
   * Counts a credential that proved none of its claims.
   *
   * @throws StoreUnavailableError `store_unavailable`, if the caller has sent too many wrong secrets for one of these tokens
   */
  missed(claims: readonly Claim[], from: Presenter): void {
    const slow = claims.filter(({ format, ended }) => format.verify !== undefined && !ended)
    if (slow.length > 0) this.#options.slow.missed(slow, from)
  }

  /** Refunds the charges of a credential for its other claims, once it has proved one of them. */
  proved(claims: readonly Claim[], from: Presenter): void {
    this.#options.slow.proved(claims, from)
  }

  #read(format: TokenFormat, credential: string): FormatClaim | undefined {
    const read: unknown = askFormat(format, this.#options.report, credential, () => format.read(credential))
    if (read === undefined || read === null) return undefined
    const { key, proof } = Object(read) as { readonly [K in keyof FormatClaim]?: unknown }
    if (typeof key !== 'string' || typeof proof !== 'string') {
      throw new StoreUnavailableError(`the read function of the format ${format.name} did not return a key and a proof`)
    }
    return { key, proof }
  }

  /**
   * Returns whether the claim's secret is that of this record. Compares in constant time, with each pepper, because an imported token does not show which
   * pepper it needs. A slow hash is compared only with the fingerprint that the import gave it, because anyone who can write to the database could write
   * such a hash.
   *
   * @throws StoreUnavailableError `store_unavailable`, if a slow hash could not be compared in time
   */
  proves(claim: Claim, record: Provable, from: Presenter, leftMs?: number): MaybePromise<boolean> {
    const { id, format, key, body } = claim
    if (record.id !== id || record.importedFrom !== format.name) return false
    const { imports, digesters, changes, slow, scheduleFlush } = this.#options
    const { importedHash: hash, importedMark: mark = '' } = record
    if (hash === undefined) return digesters.some((digester) => record.hasDigest(digester.digest(body)))
    if (!equalDigests(mark, imports.keys.markOf(format.name, key, hash))) return false
    const [{ digest: digestOf, pepperId }] = digesters
    const digest = digestOf(body)
    if (changes.isProven(id, hash, digest)) return true
    const name = defaultEngine.sha256(`${id} ${digest} ${defaultEngine.sha256(hash)}`)
    // Another format may have a token with the same key but a different secret. Its slow hash is not computed again for every request.
    if (this.#wrong.get(name) !== undefined) return false
    const settled = (same: boolean): void => {
      if (!same) this.#wrong.set(name, { visited: false })
      if (same) {
        changes.rehash(id, { hash, digest, pepperId })
        scheduleFlush()
      }
    }
    return slow.compare(name, { attempt: claim, hash, from, leftMs, settled })
  }
}
