import type { StoredToken } from '../model/record.js'
import type { Addition, AdditionResult, Change, CommitResult } from './port.js'
import { readStored } from './read-stored.js'

/** Whether a change was made, or `undefined` where the answer makes no sense. */
export function readCommit(answer: unknown, { caps }: Pick<Change, 'caps'>): CommitResult | undefined {
  const { ok, conflict, exceeded } = Object(answer) as { ok?: unknown; conflict?: unknown; exceeded?: unknown }
  if (ok === true) return { ok: true }
  if (ok !== false) return undefined
  if (typeof conflict === 'string') return { ok: false, conflict }
  return typeof exceeded === 'number' && caps?.[exceeded] !== undefined ? { ok: false, exceeded } : undefined
}

/** The same of an addition to a transaction of the host's. */
export function readAddition(answer: unknown, addition: Addition, store: string): AdditionResult | undefined {
  const { ok, refused, stored } = Object(answer) as { ok?: unknown; refused?: unknown; stored?: unknown }
  if (ok === false && typeof refused === 'string') return { ok: false, refused }
  const result = readCommit(answer, addition)
  if (result === undefined || result.ok || result.exceeded !== undefined || stored === undefined) return result
  const found = readStored<StoredToken>(stored, store)
  return found.id === result.conflict ? { ...result, stored: found } : undefined
}

/** The answer for a store that makes nothing inside a transaction of the host's. */
export function takesNoPart(store: string): AdditionResult {
  return { ok: false, refused: `cannot be given: the ${store} store does not support transactions` }
}
