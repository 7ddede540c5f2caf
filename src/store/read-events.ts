import type { ListedEvent, StoredEvent } from '../model/event.js'
import { ownFields } from '../model/own-fields.js'
import { isInstant } from '../policy/instant.js'
import type { EventPage } from './event-page.js'
import type { EventQuery } from './port.js'
import { isCount, isObject, isText, isTexts } from './read-answers.js'

type Raw = { readonly [field: string]: unknown }

/** Whether a value is valid for each field, and the replacement for a required field that is not valid. */
const FIELDS: {
  readonly [Field in Exclude<keyof StoredEvent, 'id'>]-?: { readonly is: (value: unknown) => boolean; readonly instead?: unknown }
} = {
  at: { is: isInstant, instead: 0 },
  action: { is: isText, instead: 'damaged' },
  prefix: { is: isText, instead: '' },
  actorId: { is: isText, instead: '' },
  tokenId: { is: isText },
  tenantId: { is: isText },
  ownerId: { is: isText },
  createdBy: { is: isText },
  ip: { is: isText },
  reason: { is: isText },
  code: { is: isText },
  count: { is: isCount },
  bulkId: { is: isText },
  before: { is: isObject },
  after: { is: isObject },
  details: { is: isObject },
  salt: { is: isText },
  erased: { is: isErasure },
}
const CHECKS = Object.entries(FIELDS).map(([field, check]) => [field, ownFields(check)] as const)

/**
 * Reads a page of the audit log. Returns `undefined` if it or the place where it stopped is not in the requested order, because paging would then skip events
 * or never end.
 */
export function readEvents(answer: unknown, { order, after, limit }: EventQuery): EventPage | undefined {
  if (!Array.isArray(answer) || answer.length > limit) return undefined
  const direction = order === 'oldest' ? 1 : -1
  let last = after
  const page: ListedEvent[] = []
  for (const given of answer) {
    const { seq, damaged = [] } = Object(given) as { readonly seq?: unknown; readonly damaged?: unknown }
    if (!isTexts(damaged)) return undefined
    if (!isCount(seq) || (last !== undefined && (seq - last) * direction <= 0)) return undefined
    const event = readEvent(given, damaged)
    if (event === undefined) return undefined
    page.push(event as ListedEvent)
    last = seq
  }
  const { stoppedAt } = answer as { readonly stoppedAt?: unknown }
  if (stoppedAt === undefined || !Object.hasOwn(answer, 'stoppedAt')) return page
  // A page may stop at its last event, but not where it began.
  const isBehind = isCount(stoppedAt) && (last === undefined || (stoppedAt - last) * direction >= 0) && stoppedAt !== after
  return isBehind ? Object.assign(page, { stoppedAt }) : undefined
}

/** Returns the placed events, or `undefined` if the result is invalid. */
export function readPlaced(answer: unknown, prefix: string): readonly StoredEvent[] | undefined {
  if (!Array.isArray(answer)) return undefined
  const placed = answer.flatMap((event) => readEvent(event, []) ?? [])
  return placed.length === answer.length && placed.every((event) => event.prefix === prefix) ? placed : undefined
}

/**
 * Returns an event without the fields that cannot be read, which `damaged` names, because one damaged row must not hide other rows. Without an ID it is not an
 * event.
 */
function readEvent(given: unknown, known: readonly string[]): StoredEvent | undefined {
  if (!isObject(given) || !isText((given as Raw).id)) return undefined
  const event = given as Raw
  // A store that names damaged fields has already left them out, including required ones.
  const wrong = CHECKS.filter(([field, { is, instead }]) => (event[field] === undefined ? instead !== undefined : !is(event[field])))
  if (wrong.length === 0) return event as unknown as StoredEvent
  const read: { [field: string]: unknown } = { ...event, damaged: [...new Set([...known, ...wrong.map(([field]) => field)])] }
  for (const [field, { instead }] of wrong) {
    if (instead === undefined) delete read[field]
    else read[field] = instead
  }
  return ownFields(read) as unknown as StoredEvent
}

function isErasure(value: unknown): boolean {
  const { commitments, salts } = Object(value) as { readonly commitments?: unknown; readonly salts?: unknown }
  return isObject(commitments) && isObject(salts)
}
