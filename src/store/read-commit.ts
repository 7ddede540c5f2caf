import type { StoredEvent } from '../model/event.js'
import { ownFields } from '../model/own-fields.js'
import type { StoredToken } from '../model/record.js'
import type { Addition, AdditionResult, BulkResult, Change, CommitResult } from './port.js'
import { isCount, isOptionalText } from './read-answers.js'
import { readPlaced } from './read-events.js'
import { readStored } from './read-stored.js'

/** Returns the result of a commit, or `undefined` if it is invalid. */
export function readCommit(answer: unknown, { caps }: Pick<Change, 'caps'>): CommitResult | undefined {
  const { ok, conflict, exceeded } = Object(answer) as { ok?: unknown; conflict?: unknown; exceeded?: unknown }
  if (ok === true) return ownFields<CommitResult>({ ok: true })
  if (ok !== false) return undefined
  if (typeof conflict === 'string') return ownFields<CommitResult>({ ok: false, conflict })
  return typeof exceeded === 'number' && caps?.[exceeded] !== undefined ? ownFields<CommitResult>({ ok: false, exceeded }) : undefined
}

/** Reads the result of an addition to the host's transaction. */
export function readAddition(answer: unknown, addition: Addition, store: string): AdditionResult | undefined {
  const { ok, refused, stored } = Object(answer) as { ok?: unknown; refused?: unknown; stored?: unknown }
  if (ok === false && typeof refused === 'string') return ownFields<AdditionResult>({ ok: false, refused })
  const result = readCommit(answer, addition)
  if (result === undefined || result.ok || result.exceeded !== undefined || stored === undefined) return result
  const found = readStored<StoredToken>(stored, store)
  return found.id === result.conflict ? ownFields({ ...result, stored: found }) : undefined
}

/** Returns the result for a store that does not support the host's transactions. */
export function takesNoPart(store: string): AdditionResult {
  return { ok: false, refused: `cannot be set: the ${store} store does not support transactions` }
}

/** Reads the result of a bulk revocation. Returns `undefined` if it is invalid. */
export function readBulkResult(answer: unknown, template: StoredEvent): BulkResult | undefined {
  const { count, events, placed: saidPlaced = [] } = Object(answer) as { readonly [K in keyof BulkResult]?: unknown }
  const placed = readPlaced(saidPlaced, template.prefix)
  if (!isCount(count) || !Array.isArray(events) || placed === undefined) return undefined
  const read: StoredEvent[] = []
  for (const event of events) {
    const {
      id,
      tenantId,
      count: touched,
    } = Object(event) as { readonly id?: unknown; readonly tenantId?: unknown; readonly count?: unknown }
    if (typeof id !== 'string' || !isCount(touched) || !isOptionalText(tenantId)) return undefined
    const { tenantId: _, ...said } = template
    read.push({ ...said, id, count: touched, ...(tenantId !== undefined && { tenantId }) })
  }
  return { count, events: read, placed }
}
