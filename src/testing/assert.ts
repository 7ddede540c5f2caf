import { isLatchkeyError } from '../errors.js'

/** A failed check, with a message that makes sense without the source. */
export class ContractError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ContractError'
  }
}

/** Fails unless `condition` holds. */
export function ensure(condition: boolean, what: string): asserts condition {
  if (!condition) throw new ContractError(what)
}

/** Fails unless both are the same plain data. A member that is `undefined` counts as absent; `null` does not. */
export function ensureEqual(actual: unknown, expected: unknown, what: string): void {
  const is = show(actual)
  const should = show(expected)
  if (is !== should) throw new ContractError(`${what}\n  expected ${around(should, is)}\n  but got  ${around(is, should)}`)
}

/** Fails unless both contain the same strings, each the same number of times, in any order. */
export function ensureSameMembers(actual: readonly string[], expected: readonly string[], what: string): void {
  ensureEqual([...actual].sort(), [...expected].sort(), what)
}

/** Fails unless `run` throws or rejects. */
export async function ensureFails(run: () => unknown, what: string): Promise<void> {
  try {
    await run()
  } catch {
    return
  }
  throw new ContractError(what)
}

/** JSON with sorted keys, in which values that JSON cannot represent remain distinguishable. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item: unknown) => show(item)).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    if (value instanceof Date) return `Date(${value.getTime()})`
    const members = Object.entries(value).filter(([, member]) => member !== undefined)
    return `{${members
      .map(([key, member]) => `${JSON.stringify(key)}: ${show(member)}`)
      .sort()
      .join(', ')}}`
  }
  if (typeof value === 'string') return JSON.stringify(value)
  return typeof value === 'bigint' ? `${value}n` : String(value)
}

/** Returns the part of a long string around its first difference from another. */
function around(text: string, other: string): string {
  if (text.length <= 400) return text
  let first = 0
  while (first < text.length && text[first] === other[first]) first += 1
  const start = Math.max(0, first - 120)
  return `${start > 0 ? '…' : ''}${text.slice(start, start + 400)}${start + 400 < text.length ? '…' : ''}`
}

/** Returns whether a call is refused because the store is being moved. */
export async function isFenced(call: () => unknown): Promise<boolean> {
  try {
    await call()
    return false
  } catch (error) {
    return isLatchkeyError(error) && error.code === 'store_moving'
  }
}
