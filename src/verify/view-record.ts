import { FIELD_ROWS, type Field, type FieldKind, type FieldName } from '../model/fields.js'
import { ownFields } from '../model/own-fields.js'
import type { ListedToken, TokenRecord } from '../model/record.js'
import { statusOf } from '../policy/status.js'
import { hintOf } from '../token/hint.js'

type View = (value: never) => unknown

/** How some kinds of values are shown; all other values are shown as they are stored. Callers never get the store's own objects. */
const VIEWS: { readonly [Kind in FieldKind]?: View } = {
  instant: (at: number) => new Date(at),
  grants: (list: readonly string[]) => [...list],
  networks: (list: readonly string[]) => [...list],
  resources: (value: object) => structuredClone(value),
  json: (value: object) => structuredClone(value),
}

const asStored: View = (value) => value

const SHOWN: readonly (readonly [FieldName, View])[] = FIELD_ROWS.filter(([, field]: readonly [FieldName, Field]) => !field.secret).map(
  ([name, field]) => [name, VIEWS[field.kind] ?? asStored],
)

/** Returns the public record of a stored token: no digest, instants as `Date`, status as of `now`. */
export function viewRecord(given: ListedToken, now: number): TokenRecord {
  const stored = ownFields(given)
  const record: { [name: string]: unknown } = {}
  for (const [name, view] of SHOWN) {
    const value = stored[name]
    if (value !== undefined) record[name] = view(value as never)
    if (name === 'prefix') {
      record.hint = hintOf(stored.prefix, stored.id)
      record.status = statusOf(stored, now)
    }
  }
  return record as TokenRecord
}
