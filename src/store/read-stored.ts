import { StoreUnavailableError } from '../errors.js'
import { FIELD_ROWS, type FieldKind } from '../model/fields.js'
import type { ListedToken, StoredToken } from '../model/record.js'

const DIGEST = /^[0-9a-f]{64}$/

/** Whether a value is what a kind of field holds. */
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

type Check = { readonly required: boolean; readonly instant: boolean; readonly is: (value: unknown) => boolean }

const CHECKS: ReadonlyMap<string, Check> = new Map(
  FIELD_ROWS.map(([name, field]) => [name, { required: field.required === true, instant: field.kind === 'instant', is: IS[field.kind] }]),
)
const REQUIRED = FIELD_ROWS.filter(([, field]) => field.required).length

/**
 * Checks what a store answered before anything is decided by it.
 *
 * A field that is not of its kind is a fault of the store, and so is a required one that is absent. An instant that is not a number becomes
 * `NaN`, which refuses wherever it is compared; it is never taken for absent.
 *
 * @throws StoreUnavailableError `store_unavailable`
 */
export function readStored<T extends StoredToken | ListedToken>(answer: unknown, storeName: string): T {
  // A copy: what is looked at here is what is decided by, whatever the store's object answers a second time.
  const copy = copyOf(answer)
  if (copy === undefined || !isSound(copy)) {
    throw new StoreUnavailableError(`the ${storeName} store returned something that is not a token record`)
  }
  return copy as T
}

function copyOf(answer: unknown): { [field: string]: unknown } | undefined {
  try {
    return typeof answer === 'object' && answer !== null ? { ...answer } : undefined
  } catch {
    return undefined
  }
}

// By the fields that it has, which are far fewer than those there are.
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

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText)
}

function isResources(value: unknown): boolean {
  return isObject(value) && Object.values(Object(value)).every(isTexts)
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
