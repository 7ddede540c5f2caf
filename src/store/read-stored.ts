import { StoreUnavailableError } from '../errors.js'
import { FIELD_ROWS, type FieldKind } from '../model/fields.js'
import { ownFields } from '../model/own-fields.js'
import type { ListedToken, StoredToken } from '../model/record.js'
import { isObject, isText, isTexts } from './read-answers.js'

const DIGEST = /^[0-9a-f]{64}$/

/** Checks that a value is valid for its kind of field. */
const IS: { readonly [Kind in FieldKind]: (value: unknown) => boolean } = {
  id: isText,
  word: isText,
  text: isText,
  count: Number.isSafeInteger,
  instant: (value) => typeof value === 'number',
  duration: Number.isFinite,
  grants: isTexts,
  resources: isResources,
  networks: isTexts,
  json: isObject,
  flag: (value) => value === true,
}

type Row = { [field: string]: unknown }
type Check = { readonly required: boolean; readonly instant: boolean; readonly is: (value: unknown) => boolean }

const CHECKS: ReadonlyMap<string, Check> = new Map(
  FIELD_ROWS.map(([name, { kind, required = false }]) => {
    const instant = kind === 'instant'
    // Nothing is compared with the instants that every record has, so an unreadable instant would not refuse the token.
    return [name, { required, instant: instant && !required, is: instant && required ? Number.isFinite : IS[kind] }]
  }),
)
const REQUIRED = FIELD_ROWS.filter(([, field]) => field.required).length

/**
 * Checks a record from a store before any decision uses it.
 *
 * A field with an invalid value, or a required field that is absent, is a fault of the store. An instant that is not a number becomes
 * `NaN`, which makes every comparison refuse the token; it is never treated as absent.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export function readStored<T extends StoredToken | ListedToken>(answer: unknown, storeName: string): T {
  // A copy, so that decisions use the values that were checked, even if the store's object changes.
  const copy = copyOf(answer)
  if (copy === undefined || !isSound(copy)) {
    throw new StoreUnavailableError(`the ${storeName} store returned something that is not a token record`)
  }
  return copy as T
}

/** Like `readStored`, for a record that has to be complete: returns `undefined` if any field cannot be read. */
export function readWhole<T extends StoredToken | ListedToken>(row: unknown): T | undefined {
  const copy = copyOf(row)
  return copy !== undefined && !namesDamage(copy) && isWhole(copy) ? (copy as T) : undefined
}

/**
 * Returns the fields of a row that cannot be read, including instants that are not finite; none if the row is sound. A store that already left some out names
 * them in `damaged`.
 */
export function unreadableFields(row: unknown): readonly string[] {
  const record = copyOf(row)
  if (record === undefined) return ['record']
  if (namesDamage(record)) return record.damaged
  if (isWhole(record)) return []
  const wrong = [...CHECKS].filter(([name, { required, instant, is }]) => {
    const value = record[name]
    return value === undefined ? required : !(instant ? Number.isFinite : is)(value)
  })
  return wrong.length > 0 ? wrong.map(([name]) => name) : ['digest']
}

function copyOf(answer: unknown): Row | undefined {
  try {
    return typeof answer === 'object' && answer !== null ? ownFields(answer as Row) : undefined
  } catch {
    return undefined
  }
}

function namesDamage(record: { readonly damaged?: unknown }): record is { readonly damaged: readonly string[] } {
  return isTexts(record.damaged) && (record.damaged as readonly string[]).length > 0
}

function isWhole(record: { [field: string]: unknown }): boolean {
  return isSound(record) && Object.values(record).every((value) => typeof value !== 'number' || Number.isFinite(value))
}

// Iterates over the record's own fields, which are far fewer than all possible fields.
function isSound(record: { [field: string]: unknown }): boolean {
  let required = 0
  for (const name of Object.keys(record)) {
    const check = CHECKS.get(name)
    const value = record[name]
    if (check === undefined || value === undefined) continue
    if (check.required) required += 1
    if (check.is(value)) continue
    if (!check.instant) return false
    record[name] = Number.NaN
  }
  return required === REQUIRED && DIGEST.test(String(record.digest))
}

function isResources(value: unknown): boolean {
  return isObject(value) && Object.values(Object(value)).every(isTexts)
}
