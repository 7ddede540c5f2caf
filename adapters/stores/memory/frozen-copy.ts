import { ownFields } from '../../../src/model/own-fields.js'

/**
 * Returns a deep, frozen copy of plain data, without `undefined` properties. Records, events and filters get only their own fields.
 *
 * The store keeps such copies and returns them as they are, so callers cannot change stored data, and `find` does not have to copy it.
 */
export function frozenCopy<T>(value: T): T
export function frozenCopy(value: unknown): unknown {
  return copyOf(value, ownFields)
}

function copyOf(value: unknown, finish: (object: object) => object): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Object.freeze(value.map((item: unknown) => copyOf(item, finish)))
  // fromEntries defines properties, so an own key named `__proto__` stays a key.
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.freeze(finish(Object.fromEntries(entries.map(([key, member]) => [key, copyOf(member, asIs)]))))
}

function asIs(object: object): object {
  return object
}
