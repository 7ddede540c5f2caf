import type { Entry } from '../cache/entry.js'
import { StoreUnavailableError } from '../errors.js'
import type { ForeignShapes } from '../model/foreign-shapes.js'
import type { VerifyContext } from '../model/principal.js'
import type { StoredToken } from '../model/record.js'
import { type Lifecycle, refusalOf } from '../policy/status.js'
import { leftUntil } from '../store/deadline.js'
import { equalDigests } from '../token/compare.js'
import { isPacked } from '../token/packed-digest.js'
import type { Context } from './context.js'
import type { Claim, Imported } from './imported.js'

/** The entry that a credential of another system's format is of, and whether it proves to be. */
export type Found = { readonly entry: Entry; readonly proven: boolean }

/**
 * Looks up the claims one after the other: the first proven one whose status refuses it, else the first proven one, else the first whose record exists.
 *
 * The same secret may have been imported by several formats. What ended one of these tokens ended the credential, whichever format comes first.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export async function findImported(
  context: Context,
  imported: Imported,
  claims: readonly Claim[],
  request: VerifyContext | undefined,
  dueAt: number,
): Promise<Found | undefined> {
  let good: Entry | undefined
  let other: Entry | undefined
  for (const claim of claims) {
    const leftMs = claim === claims[0] ? undefined : leftUntil(dueAt, context.settings)
    const entry = await entryOf(context, claim.id, request, good !== undefined, leftMs)
    if (entry === undefined) continue
    const refused = isRefused(context, entry.lifecycle)
    // Beside one that is proven, only one that would be refused matters: no slow hash is computed for another.
    if (good !== undefined && !refused) continue
    const { importedFrom, importedHash } = entry.optional ?? {}
    if (
      await imported.proves(
        claim,
        { id: entry.id, hasDigest: (digest) => isPacked(entry.digest, digest), importedFrom, importedHash },
        request?.ip,
        leftUntil(dueAt, context.settings),
      )
    ) {
      if (refused) return { entry, proven: true }
      good = entry
    } else if (good === undefined) {
      context.records.noteGuess(request?.ip)
      other ??= entry
    }
  }
  if (good !== undefined) return { entry: good, proven: true }
  return other === undefined ? undefined : { entry: other, proven: false }
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
  // Who has proven one secret does not guess.
  if (!proven && records.isThrottled(request?.ip)) {
    vitals.throttled += 1
    throw new StoreUnavailableError('too many tokens that do not exist are asked about from this address')
  }
  vitals.cacheMisses += 1
  return records.read(id, request?.ip, leftMs)
}

/** The stored token behind a credential of another system's format, from the primary, proven: chosen as in `findImported`. */
export async function findStoredImported(context: Context, token: unknown): Promise<StoredToken | undefined> {
  const { imported, store } = context
  let good: StoredToken | undefined
  for (const claim of imported?.claims(token) ?? []) {
    const stored = (await store.find([claim.id])).get(claim.id)
    if (stored === undefined) continue
    const { id, importedFrom, importedHash } = stored
    const refused = isRefused(context, stored)
    if (good !== undefined && !refused) continue
    const provable = { id, hasDigest: (digest: string) => equalDigests(stored.digest, digest), importedFrom, importedHash }
    if (!(await imported?.proves(claim, provable, undefined))) continue
    if (refused) return stored
    good = stored
  }
  return good
}

/** How credentials look that only the option `imports` brings in. */
export function shapesOf({ imported, settings }: Context): ForeignShapes | undefined {
  const { formats } = settings.imports ?? {}
  if (imported === undefined || formats === undefined) return undefined
  const schemes = formats.flatMap(({ scheme }) => (scheme === undefined ? [] : [scheme.toLowerCase()]))
  return { schemes: [...new Set(schemes)], admits: (credential) => imported.claims(credential).length > 0 }
}
