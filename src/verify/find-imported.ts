import { endTogether } from '../cache/ending-together.js'
import type { Entry } from '../cache/entry.js'
import { StoreUnavailableError } from '../errors.js'
import type { ForeignShapes } from '../model/foreign-shapes.js'
import type { MaybePromise } from '../model/json.js'
import type { Presenter } from '../model/presenter.js'
import type { VerifyContext } from '../model/principal.js'
import type { StoredToken } from '../model/record.js'
import { type Lifecycle, refusalOf } from '../policy/status.js'
import { leftUntil } from '../store/deadline.js'
import { isPacked } from '../token/packed-digest.js'
import type { Context } from './context.js'
import { findOne } from './find-one.js'
import { type Claim, type Imported, provableOf } from './imported.js'

/** The entry that a credential in an imported format belongs to, and whether its secret matched. */
export type Found = { readonly entry: Entry; readonly proven: boolean }

/** The result of looking up the claims of one credential. */
type Choice<T> = {
  /** The token whose status decides. */
  readonly proven: T | undefined
  /** A token that exists, but has a different secret. */
  readonly other: T | undefined
  /**
   * Further valid tokens that end the credential when they end: those with the same secret, and those whose slow hash was not compared, which may have the same
   * secret.
   */
  readonly beside: readonly T[]
}

type Look<T> = {
  readonly find: (claim: Claim, proven: boolean) => Promise<T | undefined>
  readonly proves: (claim: Claim, found: T) => MaybePromise<boolean>
  readonly isSlow: (found: T) => boolean
  readonly from: Presenter
  readonly failed?: () => void
}

/**
 * Looks up the claims one at a time. Chooses the first proven token that is refused because of its status, otherwise the first proven token, otherwise the
 * first token that exists.
 *
 * The same secret may have been imported in several formats. When one of these tokens has ended, so has the credential, regardless of the order of the
 * formats, and even if that token's format is no longer accepted. When one was revoked, the others are revoked too, so that this stays true if the record
 * goes away.
 */
async function choose<T extends Lifecycle & { readonly id: string }>(
  context: Context,
  imported: Imported,
  claims: readonly Claim[],
  look: Look<T>,
): Promise<Choice<T>> {
  const proven: T[] = []
  const skipped: T[] = []
  let refused: T | undefined
  let other: T | undefined
  for (const claim of claims) {
    // On its own, a format that is no longer accepted proves nothing.
    if (claim.ended && proven.length === 0) break
    try {
      const found = await look.find(claim, proven.length > 0)
      if (found === undefined) continue
      const isBad = isRefused(context, found)
      // If another token is proven and no token is refused, this valid token is not worth a slow hash. If a token is refused, the hash is computed, because
      // this token may have to be revoked with it.
      if (proven.length > 0 && refused === undefined && !isBad && look.isSlow(found)) {
        skipped.push(found)
        continue
      }
      if (await look.proves(claim, found)) {
        proven.push(found)
        if (isBad) refused ??= found
      } else if (proven.length === 0) {
        look.failed?.()
        other ??= found
      }
    } catch (error) {
      // A refusal stands, regardless of the other claims.
      if (refused === undefined) throw error
      break
    }
  }
  if (proven.length === 0) imported.missed(claims, look.from)
  else imported.proved(claims, look.from)
  const revoked = proven.find(({ revokedAt }) => revokedAt !== undefined)
  if (revoked !== undefined)
    imported.endWith(
      revoked.id,
      proven.filter(({ revokedAt }) => revokedAt === undefined).map(({ id }) => id),
    )
  const chosen = refused ?? proven[0]
  return { proven: chosen, other, beside: refused === undefined ? [...proven.slice(1), ...skipped] : [] }
}

/**
 * Finds the token that a credential belongs to.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export async function findImported(
  context: Context,
  imported: Imported,
  claims: readonly Claim[],
  request: VerifyContext | undefined,
  dueAt: number,
  waited = false,
): Promise<Found | undefined> {
  const left = (): number | undefined => leftUntil(dueAt, context.settings)
  const { proven, other, beside } = await choose<Entry>(context, imported, claims, {
    find: (claim, isProven) => entryOf(context, claim.id, request, isProven, !waited && claim === claims[0] ? undefined : left()),
    proves: (claim, { id, digest, parts }) => {
      const { importedFrom, importedHash, importedMark } = parts
      const hasDigest = (given: string): boolean => isPacked(digest, given)
      return imported.proves(claim, { id, hasDigest, importedFrom, importedHash, importedMark }, request?.ip, left())
    },
    isSlow: ({ parts }) => parts.importedHash !== undefined,
    from: request?.ip,
    failed: () => context.records.noteGuess(request?.ip),
  })
  if (proven !== undefined) endTogether(proven, beside)
  const entry = proven ?? other
  return entry && { entry, proven: proven !== undefined }
}

/**
 * Returns whether one of these credentials is an imported token, valid or not, even if its format is no longer accepted. Failed guesses count against the
 * budget of the address.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export async function holdsImported(
  context: Context,
  credentials: Iterable<string>,
  ip: string | undefined,
  leftMs: number = context.settings.deadlineMs,
): Promise<boolean> {
  const { imported, settings } = context
  if (imported === undefined) return false
  const dueAt = settings.monotonic() + leftMs
  for (const credential of credentials) {
    const found = await findImported(context, imported, imported.claims(credential, true), { ip }, dueAt, true)
    if (found?.proven === true) return true
  }
  return false
}

function isRefused({ settings }: Context, lifecycle: Lifecycle): boolean {
  return refusalOf(lifecycle, settings.clock()) !== undefined
}

async function entryOf(
  { records, vitals }: Context,
  id: string,
  request: VerifyContext | undefined,
  proven: boolean,
  leftMs: number | undefined,
): Promise<Entry | undefined> {
  const entry = records.get(id)
  if (entry !== undefined || records.isKnownMissing(id)) {
    vitals.cacheHits += 1
    return entry
  }
  // A caller that has proven one secret is not guessing.
  if (!proven && records.isThrottled(request?.ip)) {
    vitals.throttled += 1
    throw new StoreUnavailableError('too many unknown tokens were sent from this address')
  }
  vitals.cacheMisses += 1
  return records.read(id, request?.ip, leftMs)
}

/** The stored token that a credential belongs to, and the other valid tokens that also end it when they end. */
export type FoundStored = { readonly stored: StoredToken; readonly beside: readonly StoredToken[] }

/** Reads the stored token behind a credential in an imported format from the primary, if the secret matches. Chooses the token like `findImported`. */
export async function findStoredImported(context: Context, token: unknown, from: Presenter): Promise<FoundStored | undefined> {
  const { imported } = context
  if (imported === undefined) return undefined
  const { proven, beside } = await choose<StoredToken>(context, imported, imported.claims(token), {
    find: ({ id }) => findOne(context, id, from),
    proves: (claim, stored) => imported.proves(claim, provableOf(stored), from, context.allowance?.leftMs),
    isSlow: ({ importedHash }) => importedHash !== undefined,
    from,
  })
  return proven && { stored: proven, beside }
}

/** Describes the credentials that are accepted only because of the `imports` option. */
export function shapesOf({ imported, settings }: Context): ForeignShapes | undefined {
  const { formats } = settings.imports ?? {}
  if (imported === undefined || formats === undefined) return undefined
  const schemes = formats.flatMap(({ scheme }) => (scheme === undefined ? [] : [scheme.toLowerCase()]))
  return { schemes: [...new Set(schemes)], admits: (credential) => imported.claims(credential, true).length > 0 }
}
