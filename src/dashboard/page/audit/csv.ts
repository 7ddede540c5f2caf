import type { AuditEvent } from '../lib/types.js'

const COLUMNS = ['at', 'action', 'actorId', 'tokenId', 'tenantId', 'ip', 'reason', 'code', 'count', 'before', 'after'] as const

/** A spreadsheet takes a cell that begins so for a formula (OWASP, “CSV injection”). */
const FORMULA = /^[\s\u200b-\u200f\u2060\ufeff]*[=+\-@\t\r|%\uff1d\uff0b\uff0d\uff20]/

/** Events as CSV (RFC 4180). Cells that a spreadsheet would calculate begin with an apostrophe, so that they stay text. */
export function csvOf(events: readonly AuditEvent[]): string {
  const rows = events.map((event) => COLUMNS.map((column) => cellOf(event[column])))
  return [COLUMNS.map(cellOf), ...rows].map((cells) => `${cells.join(',')}\r\n`).join('')
}

function cellOf(value: unknown): string {
  const text = value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)
  return `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`
}
