/**
 * A deep, frozen copy of plain data, without `undefined` properties.
 *
 * The store keeps such copies and returns them as they are: nobody can change stored data from outside, and `find` need not copy.
 */
export function frozenCopy<T>(value: T): T
export function frozenCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Object.freeze(value.map((item: unknown) => frozenCopy(item)))
  // fromEntries defines properties: an own key named `__proto__` stays a key.
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.freeze(Object.fromEntries(entries.map(([key, member]) => [key, frozenCopy(member)])))
}
