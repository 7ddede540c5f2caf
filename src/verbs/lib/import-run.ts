import { InvalidInputError, isInvalidInput, isLatchkeyError, StoreUnavailableError } from '../../errors.js'
import type { StoredEvent } from '../../model/event.js'
import type { FormatRow, TokenFormat } from '../../model/format.js'
import type { ImportInput, ImportProblem, ImportProgress, ImportReport } from '../../model/import.js'
import type { StoredToken } from '../../model/record.js'
import { readShape } from '../../policy/shape.js'
import { deriveId } from '../../token/derive-id.js'
import type { Context } from '../../verify/context.js'
import type { ReadActor } from './actor.js'
import { auditEvent } from './audit.js'
import { commit } from './change.js'
import { type Draft, readDraft } from './draft.js'
import { checkHandout, checkOwner } from './handout.js'
import { createShape } from './inputs.js'

const MAX_PROBLEMS = 100
const MAX_MATERIAL = 4096
const UNKEEPABLE = /[\p{Cc}\p{Surrogate}]/u
/** Stands where a digest will be once the slow hash was compared for the first time; no text has this one. */
const NO_DIGEST = '0'.repeat(64)

/** How an import works, once it was read. */
export type ImportPlan = { readonly format: TokenFormat; readonly map: ImportInput['map']; readonly dryRun: boolean }

type Prepared = { readonly row: number; readonly record: StoredToken; readonly event: StoredEvent }
type Counts = { -readonly [Name in keyof ImportProgress]: ImportProgress[Name] }

/**
 * The id of the event of an import. The token's id follows from the row, so that it would come again once the token was removed; its event stays until the
 * format ends, and no id is used twice.
 */
export function importId(tokenId: string): string {
  return deriveId(['token.imported', tokenId])
}

/** One call of `import`: rows are added one by one, and written together. */
export class ImportRun {
  readonly #context: Context
  readonly #actor: ReadActor
  readonly #plan: ImportPlan
  readonly #counts: Counts = { rows: 0, imported: 0, existing: 0, removed: 0, expired: 0, skipped: 0, failed: 0 }
  readonly #problems: ImportProblem[] = []
  /** By the id of the token. */
  readonly #prepared: Map<string, Prepared> = new Map()
  /** Were tokens of this format removed? Then each row is looked up before it is written. */
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
      this.#fail({ row: at, message: 'map() failed', cause })
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
      this.#fail({ row: at, ...(error.field !== undefined && { field: error.field }), message: error.message })
    }
  }

  /** Writes what was added since the last time. */
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
    if (found.requestHash === record.requestHash) this.#counts.existing += 1
    else this.#fail({ row, message: 'another row has the same key, which can identify only one token' })
  }

  /** `undefined`: its end has passed. */
  async #prepare(row: number, source: unknown, terms: unknown): Promise<Prepared | undefined> {
    const { settings } = this.#context
    const { format } = this.#plan
    const material = readRow(format, source)
    const { key } = material
    const given = readShape(createShape, terms, 'the answer of map()')
    if (material.proof !== undefined && material.token !== undefined && JSON.stringify(given).includes(material.token)) {
      throw new InvalidInputError([], 'the terms contain the token, which must not be stored')
    }
    if (given.idempotencyKey !== undefined)
      throw new InvalidInputError('idempotencyKey', 'is not available for imports, which are idempotent anyway')
    const now = settings.clock()
    if (typeof given.expiresAt === 'number' && given.expiresAt <= now) return undefined
    const draft: Draft = readDraft(this.#context, given, this.#actor, now)
    await checkHandout(this.#context, this.#actor, draft)
    await checkOwner(this.#context, this.#actor, draft)
    const { imports, digesters } = settings
    const keys = imports?.keys
    if (keys === undefined) throw new InvalidInputError('format', 'needs the option imports')
    const id = keys.idOf(format.name, key)
    const [{ digest, pepperId }] = digesters
    const record: StoredToken = {
      ...draft,
      id,
      importedFrom: format.name,
      requestHash: keys.markOf(format.name, key, material.proof ?? material.hash),
      ...(material.proof === undefined
        ? { digest: NO_DIGEST, importedHash: material.hash }
        : { digest: digest(keys.bodyOf(format.name, id, material.proof)), ...(pepperId !== undefined && { pepperId }) }),
    }
    const event = auditEvent('token.imported', this.#actor, now, {
      after: record,
      id: importId(id),
      ...(format.until !== undefined && { details: { until: new Date(format.until).toISOString() } }),
    })
    return { row, record, event }
  }

  async #withoutKnown(rows: readonly Prepared[]): Promise<readonly Prepared[]> {
    if (rows.length === 0) return rows
    const { store } = this.#context
    const found = await store.find(rows.map(({ record }) => record.id))
    const fresh: Prepared[] = []
    for (const prepared of rows) {
      const there = found.get(prepared.record.id)
      if (there !== undefined) this.#isThere(prepared, there)
      else if ((this.#someRemoved || this.#plan.dryRun) && (await this.#wasRemoved(prepared))) this.#counts.removed += 1
      else fresh.push(prepared)
    }
    return fresh
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
        // These tokens are in use: to refuse them here would end them.
        caps: [],
      })
      if (result.ok) {
        this.#counts.imported += left.length
        return
      }
      // A token that is there already, or was: another import came first, or it was removed since.
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
  // The hash is kept as it is: what a store cannot keep would hold up every row beside it.
  if (isMaterial(key) && proof === undefined && format.verify !== undefined && isMaterial(hash) && !UNKEEPABLE.test(hash))
    return { key, hash }
  throw new InvalidInputError([], `the row contains no token of the format ${format.name}`)
}

function isMaterial(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_MATERIAL
}
