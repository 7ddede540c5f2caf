import type { AuditEvent } from '../lib/types.js'

/** The names of IDs, where known. */
export type EventNames = { readonly [of in 'token' | 'tenant' | 'person']: ReadonlyMap<string, string> }

const named =
  (id: 'tokenId' | 'tenantId' | 'actorId', find: keyof EventNames) =>
  (event: AuditEvent, names: EventNames): unknown =>
    event[id] === undefined ? undefined : names[find].get(event[id])

type Cell = keyof AuditEvent | ((event: AuditEvent, names: EventNames) => unknown)

const COLUMNS: readonly (readonly [string, Cell])[] = [
  ['at', 'at'],
  ['action', 'action'],
  ['actorId', 'actorId'],
  ['actorName', named('actorId', 'person')],
  ['tokenId', 'tokenId'],
  ['tokenName', named('tokenId', 'token')],
  ['tenantId', 'tenantId'],
  ['tenantName', named('tenantId', 'tenant')],
  ['ip', 'ip'],
  ['reason', 'reason'],
  ['code', 'code'],
  ['count', 'count'],
  ['before', 'before'],
  ['after', 'after'],
]

/** A spreadsheet treats a cell with such a beginning as a formula (OWASP, “CSV injection”). */
const FORMULA = /^[\s\u200b-\u200f\u2060\ufeff]*[=+\-@\t\r|%\uff1d\uff0b\uff0d\uff20]/

/**
 * If the Windows list separator is a semicolon, a spreadsheet begins a new cell after each semicolon and a new row after each line break, even within
 * quotes, unless the cell begins with the opening quote. In pasted text, each tab also begins a new cell.
 */
const BETWEEN = /([;"\s\u200b-\u200f\u2060\ufeff]+)([=+\-@|%\uff1d\uff0b\uff0d\uff20])?/g
const BEGINS_CELL = /[;\t\r\n\v\f\u0085\u2028\u2029]/

/** Events as CSV (RFC 4180), with current names beside the IDs. Text that looks like a formula gets a leading apostrophe, so that it remains text. */
export function csvOf(events: readonly AuditEvent[], names: EventNames): string {
  const rows = events.map((event) => COLUMNS.map(([, cell]) => cellOf(typeof cell === 'string' ? event[cell] : cell(event, names))))
  return [COLUMNS.map(([name]) => cellOf(name)), ...rows].map((cells) => `${cells.join(',')}\r\n`).join('')
}

function cellOf(value: unknown): string {
  const text = value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)
  const harmless = text.replace(BETWEEN, (all, between, sign = '') =>
    sign !== '' && BEGINS_CELL.test(between) ? `${between}'${sign}` : all,
  )
  return `"${(FORMULA.test(text) ? `'${harmless}` : harmless).replaceAll('"', '""')}"`
}
