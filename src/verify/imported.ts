import type { ImportedChanges } from '../activity/imported-changes.js'
import { BoundedMap } from '../cache/bounded-map.js'
import { StoreUnavailableError } from '../errors.js'
import type { FormatClaim, TokenFormat } from '../model/format.js'
import type { MaybePromise } from '../model/json.js'
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
/** Visible ASCII but quotes and the comma, which would make a list of a header. */
const CREDENTIAL = /^[!#-+\--~]+$/

/** A possible match of a credential: the token with this id, in this format. */
export type Claim = {
  readonly id: string
  readonly format: TokenFormat
  /** The format is accepted no longer: the claim can only refuse what another one accepts. */
  readonly ended: boolean
  readonly credential: string
  /** What is digested, by whichever pepper. */
  readonly body: string
}

/** The fields of a record that a claim is held against. */
export type Provable = {
  readonly id: string
  /** Compares a digest with that of the record in constant time. */
  readonly hasDigest: (digest: string) => boolean
  readonly importedFrom?: string | undefined
  readonly importedHash?: string | undefined
}

/** What a claim is held against, of a record as it is stored. */
export function provableOf({ id, digest, importedFrom, importedHash }: StoredToken): Provable {
  return { id, hasDigest: (given) => equalDigests(digest, given), importedFrom, importedHash }
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

/** Knows the tokens that other systems made, in the formats of the option `imports`. */
export class Imported {
  readonly #options: ImportedOptions
  /** Credentials that a slow hash was not made from, by digests of both. */
  readonly #wrong: BoundedMap<{ visited: boolean }> = new BoundedMap(MAX_WRONG)

  constructor(options: ImportedOptions) {
    this.#options = options
  }

  /**
   * The tokens that a credential may be, one for each format that it fits; those of formats that have ended come last, and never alone. A token of this
   * library is none of them, whatever its prefix.
   *
   * @throws StoreUnavailableError `store_unavailable`, where a function of the host's fails
   */
  claims(credential: unknown): readonly Claim[] {
    if (typeof credential !== 'string' || credential.length > MAX_LENGTH || !CREDENTIAL.test(credential)) return []
    if (parseAnyToken(credential) !== undefined) return []
    const { imports, clock } = this.#options
    const now = clock()
    const claim = (format: TokenFormat): readonly Claim[] => {
      const read = this.#read(format, credential)
      if (read === undefined) return []
      const id = imports.keys.idOf(format.name, read.key)
      return [{ id, format, ended: hasEnded(format, now), credential, body: imports.keys.bodyOf(format.name, id, read.proof) }]
    }
    const accepted = imports.formats.filter((format) => !hasEnded(format, now)).flatMap(claim)
    return accepted.length === 0 ? [] : [...accepted, ...imports.formats.filter((format) => hasEnded(format, now)).flatMap(claim)]
  }

  /** This token, which the same secret proves, was revoked: the others end with it, soon and off the request's path. */
  endWith(revokedId: string, ids: readonly string[]): void {
    for (const id of ids) this.#options.changes.end(id, revokedId)
    if (ids.length > 0) this.#options.scheduleFlush()
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
   * Does the claim prove to be this record's token? Compared in constant time, by each pepper: an imported token does not tell which one it needs.
   *
   * @throws StoreUnavailableError `store_unavailable`, when a slow hash was not compared in time
   */
  proves({ id, format, credential, body }: Claim, record: Provable, ip: string | undefined, leftMs?: number): MaybePromise<boolean> {
    if (record.id !== id || record.importedFrom !== format.name) return false
    const { digesters, changes, slow, scheduleFlush } = this.#options
    const { importedHash: hash } = record
    if (hash === undefined) return digesters.some((digester) => record.hasDigest(digester.digest(body)))
    const [{ digest: digestOf, pepperId }] = digesters
    const digest = digestOf(body)
    if (changes.isProven(id, hash, digest)) return true
    const name = defaultEngine.sha256(`${id} ${digest} ${defaultEngine.sha256(hash)}`)
    // A token of the same key in another format, whose secret is another one, is not compared anew with each request.
    if (this.#wrong.get(name) !== undefined) return false
    return slow.compare(name, id, format, credential, hash, ip, leftMs).then((same) => {
      if (!same) this.#wrong.set(name, { visited: false })
      if (same) {
        changes.rehash(id, { hash, digest, pepperId })
        scheduleFlush()
      }
      return same
    })
  }
}
