import { moment } from '../lib/format.js'
import { t } from '../lib/text.js'

/** Any value of a record as plain text, for a comparison. */
export function valueText(value: unknown): string {
  if (value === undefined || value === null) return t('detail.none')
  if (typeof value === 'string') return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? moment(value) : value
  if (Array.isArray(value)) return value.length === 0 ? t('detail.nothing') : value.map(String).join(', ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
