import { InvalidInputError, isInvalidInput, isLatchkeyError, type LatchkeyError, StoreUnavailableError } from '../../errors.js'
import type { StoredEvent } from '../../model/event.js'
import type { FormatRow, TokenFormat } from '../../model/format.js'
import type { ImportInput, ImportProblem, ImportProgress, ImportReport } from '../../model/import.js'
import { ownFields } from '../../model/own-fields.js'
import type { StoredToken } from '../../model/record.js'
import { withoutQuotes } from '../../policy/quote.js'
import { readShape } from '../../policy/shape.js'
import { copyFault } from '../../store/describe-fault.js'
import type { FoundRecords } from '../../store/found-records.js'
import { deriveId } from '../../token/derive-id.js'
import { withoutTexts } from '../../token/redact.js'
import type { Context } from '../../verify/context.js'
import { type Claim, provableOf } from '../../verify/imported.js'
import type { ReadActor } from './actor.js'
import { auditEvent } from './audit.js'
import { commit, timeOfChange } from './change.js'
import { checkDraft, type Draft, readDraft } from './draft.js'
import { checkHandout, checkOwner } from './handout.js'
import { createShape } from './inputs.js'

const MAX_PROBLEMS = 100
const MAX_MATERIAL = 4096
const SHORTEST_VALUE = 6
/** Number of objects within a row whose values are looked for in an error. */
const MAX_OBJECTS = 100
const UNKEEPABLE = /[\p{Cc}\p{Surrogate}]/u
const ELSEWHERE = 'the token of this row was already imported in another format, and one token needs one record'
/** Placeholder digest until the slow hash is verified for the first time. No token has this digest. */
const NO_DIGEST = '0'.repeat(64)

/** The parsed options of an import. */
export type ImportPlan = { readonly format: TokenFormat; readonly map: ImportInput['map']; readonly dryRun: boolean }

type Prepared = {
  readonly row: number
  readonly record: StoredToken
  readonly event: StoredEvent
  /** The same token as read in the other formats, if the row contains the token itself. */
  readonly elsewhere: readonly Claim[]
}
type Counts = { -readonly [Name in keyof ImportProgress]: ImportProgress[Name] }

/**
 * Returns the ID of an import event. The token's ID is derived from the row, so the same ID would be generated again after the token is removed. The event
 * stays until the format ends, so its unique ID prevents a second import.
 */
export function importId(tokenId: string): string {
  return deriveId(['token.imported', tokenId])
}

/** One call to `import`: rows are added one by one and written in batches. */
export class ImportRun {
  readonly #context: Context
  readonly #actor: ReadActor
  readonly #plan: ImportPlan
  readonly #counts: Counts = { rows: 0, imported: 0, existing: 0, removed: 0, expired: 0, skipped: 0, failed: 0 }
  readonly #problems: ImportProblem[] = []
  /** By token ID. */
  readonly #prepared: Map<string, Prepared> = new Map()
  /** Whether tokens of this format were removed. If so, each row is looked up before it is written. */
  #someRemoved = false

  constructor(context: Context, actor: ReadActor, plan: ImportPlan) {
    this.#context = context
    this.#actor = actor
    this.#plan = plan
  }

  get progress(): ImportProgress {
    return Object.freeze({ ...this.#counts })
  }

  get report(): ImportReport {
    return Object.freeze({ ...this.#counts, problems: Object.freeze([...this.#problems]) })
  }

  async add(row: unknown): Promise<void> {
    this.#counts.rows += 1
    const at = this.#counts.rows
    let terms: unknown
    try {
      terms = await this.#plan.map(row)
    } catch (cause) {
      this.#fail({ row: at, message: 'map() failed', cause: copyFault(cause, textsIn(row)) })
      return
    }
    if (terms === undefined || terms === null) {
      this.#counts.skipped += 1
      return
    }
    try {
      const prepared = await this.#prepare(at, row, terms)
      if (prepared === undefined) this.#counts.expired += 1
      else this.#keep(prepared)
    } catch (error) {
      if (!isLatchkeyError(error) || (error.code !== 'invalid_input' && error.code !== 'grant_denied')) throw error
      const { message, ...place } = problemOf(error)
      this.#fail({ row: at, ...place, message: withoutTexts(message, textsIn(row)) })
    }
  }

  /** Writes the rows added since the last write. */
  async write(): Promise<void> {
    const rows = await this.#withoutKnown([...this.#prepared.values()])
    this.#prepared.clear()
    if (this.#plan.dryRun) this.#counts.imported += rows.length
    else await this.#commit(rows)
  }

  #fail(problem: ImportProblem): void {
    this.#counts.failed += 1
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(Object.freeze(problem))
  }

  #keep(prepared: Prepared): void {
    const before = this.#prepared.get(prepared.record.id)
    if (before === undefined) this.#prepared.set(prepared.record.id, prepared)
    else this.#isThere(prepared, before.record)
  }

  #isThere({ row, record }: Prepared, found: StoredToken): void {
    // An erased record has lost its fingerprint.
    if (found.requestHash === record.requestHash || found.requestHash === undefined) this.#counts.existing += 1
    else this.#fail({ row, message: 'another row has the same key, which can identify only one token' })
  }

  /** Returns `undefined` if the token has already expired. */
  async #prepare(row: number, source: unknown, terms: unknown): Promise<Prepared | undefined> {
    const { settings } = this.#context
    const { format } = this.#plan
    const material = readRow(format, source)
    const { key } = material
    const given = withoutQuotes(() => readShape(createShape, terms, 'the result of map()'))
    if (material.proof !== undefined && material.token !== undefined && JSON.stringify(given).includes(escaped(material.token))) {
      throw new InvalidInputError([], 'the mapped fields contain the token, which must not be stored')
    }
    if (given.idempotencyKey !== undefined)
      throw new InvalidInputError('idempotencyKey', 'is not available for imports, which are idempotent anyway')
    const now = timeOfChange(this.#context)
    if (typeof given.expiresAt === 'number' && given.expiresAt <= now) return undefined
    const draft: Draft = withoutQuotes(() => {
      const read = readDraft(this.#context, given, this.#actor, now)
      checkDraft(this.#context, given, read, now)
      return read
    })
    await checkHandout(this.#context, this.#actor, draft)
    await checkOwner(this.#context, this.#actor, draft)
    const { imports, digesters } = settings
    const keys = imports?.keys
    if (keys === undefined) throw new InvalidInputError('format', 'requires the imports option')
    const id = keys.idOf(format.name, key)
    const [{ digest, pepperId }] = digesters
    const record: StoredToken = ownFields({
      ...draft,
      id,
      importedFrom: format.name,
      requestHash: keys.markOf(format.name, key, material.proof ?? material.hash),
      ...(material.proof === undefined
        ? { digest: NO_DIGEST, importedHash: material.hash }
        : { digest: digest(keys.bodyOf(format.name, id, material.proof)), ...(pepperId !== undefined && { pepperId }) }),
    })
    const event = auditEvent('token.imported', this.#actor, now, {
      after: record,
      id: importId(id),
      details: { importKey: keys.keyId, ...(format.until !== undefined && { until: new Date(format.until).toISOString() }) },
    })
    const claims = material.proof === undefined ? [] : (this.#context.imported?.claims(material.token) ?? [])
    return { row, record, event, elsewhere: claims.filter((claim) => claim.format.name !== format.name) }
  }

  async #withoutKnown(rows: readonly Prepared[]): Promise<readonly Prepared[]> {
    if (rows.length === 0) return rows
    const { store } = this.#context
    const found = await store.find(rows.flatMap(({ record, elsewhere }) => [record.id, ...elsewhere.map(({ id }) => id)]))
    const fresh: Prepared[] = []
    for (const prepared of rows) {
      const there = found.get(prepared.record.id)
      if (there !== undefined) this.#isThere(prepared, there)
      else if (await this.#isElsewhere(prepared, found)) this.#fail({ row: prepared.row, message: ELSEWHERE })
      else if ((this.#someRemoved || this.#plan.dryRun) && (await this.#wasRemoved(prepared))) this.#counts.removed += 1
      else fresh.push(prepared)
    }
    return fresh
  }

  async #isElsewhere({ elsewhere }: Prepared, found: FoundRecords): Promise<boolean> {
    for (const claim of elsewhere) {
      const stored = found.get(claim.id)
      if (stored !== undefined && (await this.#context.imported?.proves(claim, provableOf(stored), undefined))) return true
    }
    return false
  }

  async #wasRemoved({ record, event }: Prepared): Promise<boolean> {
    const events = await this.#context.store.events({ prefix: record.prefix, id: event.id, limit: 1 })
    return events.length > 0
  }

  async #commit(rows: readonly Prepared[]): Promise<void> {
    let left = rows
    while (left.length > 0) {
      const result = await commit(this.#context, {
        inserts: left.map(({ record }) => record),
        events: left.map(({ event }) => event),
        // These tokens are already in use: refusing them here would break their callers.
        caps: [],
      })
      if (result.ok) {
        this.#counts.imported += left.length
        return
      }
      // One of the tokens exists or existed: it was imported concurrently, or was imported before and has since been removed.
      const before = left.length
      this.#someRemoved ||= left.some(({ event }) => event.id === result.conflict)
      left = await this.#withoutKnown(left)
      if (left.length === before) left = left.filter((each) => !this.#isConflict(each, result.conflict))
      if (left.length === before)
        throw new StoreUnavailableError(`the ${this.#context.store.name} store reported a conflict without naming one`)
    }
  }

  #isConflict({ record, event }: Prepared, conflict: string): boolean {
    if (record.id !== conflict && event.id !== conflict) return false
    this.#counts.removed += 1
    return true
  }
}

/** Returns the setting or column at fault, and the reason. Omits keys below `metadata` and `resources`, because they may come from the row. */
function problemOf({ field, message }: LatchkeyError): { readonly field?: string; readonly message: string } {
  const named = field === undefined ? undefined : /^(?:metadata|resources)(?=\.)/.exec(field)?.[0]
  if (field === undefined || named === undefined) return { message, ...(field !== undefined && { field }) }
  return { field: named, message: message.replace(`${field}: `, () => `${named}: `) }
}

/**
 * Collects the strings in a row and in the objects within it, which a host function may repeat in an error. Skips shorter strings, which are part of many
 * words. ORMs keep the values of a row in such an object, behind getters of its class.
 */
function textsIn(row: unknown): readonly string[] {
  const texts = new Set<string>()
  const seen = new Set<unknown>([row])
  // Objects that are added during the iteration are visited too, those nearest to the row first.
  for (const within of seen) {
    for (const value of valuesIn(within)) {
      const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value
      if (isTelling(text)) texts.add(text)
      else if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && seen.size < MAX_OBJECTS) seen.add(value)
    }
  }
  return [...texts]
}

function valuesIn(within: unknown): readonly unknown[] {
  try {
    return typeof within === 'object' && within !== null ? Object.values(within) : [within]
  } catch {
    return []
  }
}

/** Returns the text as it appears within a string in JSON. */
function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

function isTelling(value: unknown): value is string {
  return typeof value === 'string' && value.length >= SHORTEST_VALUE
}

function readRow(format: TokenFormat, source: unknown): FormatRow {
  let read: FormatRow
  try {
    read = format.row(source)
  } catch (error) {
    if (isInvalidInput(error)) throw error
    throw new InvalidInputError([], 'the row could not be read')
  }
  const { key, proof, hash, token } = Object(read) as { readonly [K in 'key' | 'proof' | 'hash' | 'token']?: unknown }
  if (isMaterial(key) && isMaterial(proof)) return { key, proof, ...(isMaterial(token) && { token }) }
  // The hash is stored unchanged, and a hash that a store cannot keep would block every row in its batch.
  if (isMaterial(key) && proof === undefined && format.verify !== undefined && isMaterial(hash) && !UNKEEPABLE.test(hash))
    return { key, hash }
  throw new InvalidInputError([], `the row contains no token of the format ${format.name}`)
}

function isMaterial(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_MATERIAL
}
