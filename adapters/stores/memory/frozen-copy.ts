/**
 * A deep copy of plain data that nobody can change, without the properties that are `undefined`.
 *
 * The store keeps such copies and hands them out as they are: what goes in or out can then never be changed behind its back,
 * and `find` need not copy.
 */
export function frozenCopy<T>(value: T): T
export function frozenCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Object.freeze(value.map((item: unknown) => frozenCopy(item)))
  // fromEntries defines properties: an own key named `__proto__` stays a key.
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.freeze(Object.fromEntries(entries.map(([key, member]) => [key, frozenCopy(member)])))
}
