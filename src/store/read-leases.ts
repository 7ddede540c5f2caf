import type { NodeLease } from './port.js'
import { isListOf } from './read-answers.js'

/** Returns the leases, or `undefined` if the result is invalid. */
export function readLeases(answer: unknown): readonly NodeLease[] | undefined {
  return isListOf(answer, isLease) ? answer : undefined
}

function isLease(value: object): value is NodeLease {
  const { nodeId, cursor, expiresAt } = value as { readonly [K in keyof NodeLease]?: unknown }
  return typeof nodeId === 'string' && typeof cursor === 'string' && Number.isFinite(expiresAt)
}
