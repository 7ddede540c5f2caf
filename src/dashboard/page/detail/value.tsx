import type { JSX } from 'preact'
import { duration, moment } from '../lib/format.js'
import { t } from '../lib/text.js'
import { Name } from '../ui/who.js'

/** Any value of a record, for a comparison: people and tenants by name, everything else as plain text. */
export function Value({ value, field }: { readonly value: unknown; readonly field: string }): JSX.Element {
  // No link: inside a label, a click on it would navigate away from the form.
  if (typeof value === 'string' && field === 'ownerId') return <Name kind="owners" id={value} />
  if (typeof value === 'string' && field === 'tenantId') return <Name kind="tenants" id={value} />
  return <bdi>{valueText(value, field)}</bdi>
}

/** Any value of a record as plain text, for a comparison. */
function valueText(value: unknown, field = ''): string {
  if (value === undefined || value === null) return t('detail.none')
  if (typeof value === 'number' && field.startsWith('rotateEvery')) return duration(value)
  if (typeof value === 'string') return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? moment(value) : value
  if (Array.isArray(value)) return value.length === 0 ? t('detail.nothing') : value.map(String).join(', ')
  return typeof value === 'object' ? objectText(value) : String(value)
}

// Resources are lists of IDs by type; other objects are shown as JSON.
function objectText(value: object): string {
  const entries = Object.entries(value)
  const listed = entries.length > 0 && entries.every(([, part]) => Array.isArray(part))
  return listed ? entries.map(([name, part]) => `${name}: ${valueText(part)}`).join('; ') : JSON.stringify(value)
}
