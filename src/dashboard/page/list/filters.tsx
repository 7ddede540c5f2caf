import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { choicesOf, useName, useNames } from '../lib/names.js'
import { t } from '../lib/text.js'
import type { Me } from '../lib/types.js'
import { go, type Place } from '../lib/url.js'
import { useWorld } from '../lib/world.js'
import { Choice, Debounced } from '../ui/filter.js'
import { Icon } from '../ui/icons.js'
import { Picker } from '../ui/picker.js'
import { ORDERS, STATUSES, sortOf, statusOf, VIEWS, type View, viewOf } from './query.js'

/** Filters that need usage counts. */
const USES: ReadonlySet<View> = new Set(['neverUsed', 'unused'])

/** A drop-down of the tenants, with a search if there are too many for a list or they cannot be listed. */
function ClientFilter({ value, onChange }: { readonly value: string; readonly onChange: (tenant: string) => void }): JSX.Element {
  const { tenants } = useNames()
  const name = useName('tenants', value)
  const [label, any] = [t('list.client'), t('list.anyClient')]
  if (tenants === undefined || tenants.nextCursor !== undefined) {
    return <Picker kind="tenants" label={label} value={value} shown={value === '' ? any : name} any={any} onChange={onChange} />
  }
  const choices = choicesOf(tenants)
  const listed = value === '' || choices.some(([id]) => id === value)
  return (
    <Choice
      label={label}
      value={value}
      options={[['', any], ...choices, ...(listed ? [] : [[value, value] as const])]}
      onChange={onChange}
    />
  )
}

type Props = {
  readonly place: Place
  readonly me: Me
  /** Whether to show a sort menu. Set if the list has no column headings to sort by. */
  readonly sorts: boolean
  readonly hasTenants: boolean
}

function Order({ place, onChange }: { readonly place: Place; readonly onChange: (sort: string) => void }): JSX.Element {
  const { column, descending } = sortOf(place)
  return (
    <Choice
      label={t('list.sort')}
      value={`${descending ? '-' : ''}${column}`}
      options={ORDERS.map((order): [string, string] => [order, t(`sort.${order}`)])}
      onChange={(order) => onChange(order === ORDERS[0] ? '' : order)}
    />
  )
}

/** Search, filters and predefined views. */
export function Filters({ place, me, sorts, hasTenants }: Props): JSX.Element {
  const { usageCounted } = useWorld()
  const offered = VIEWS.filter((view) => (usageCounted || !USES.has(view)) && (me.importedShapes !== undefined || view !== 'imported'))
  const search = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const jump = (event: KeyboardEvent): void => {
      const typing = event.target instanceof Element && event.target.closest('input, textarea, select, dialog') !== null
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey) return
      event.preventDefault()
      search.current?.focus()
    }
    addEventListener('keydown', jump)
    return () => removeEventListener('keydown', jump)
  }, [])
  // A different filter leads to a different list, which starts at its first page.
  const narrowTo = (change: Place, how?: 'replace'): void => go(({ page: _, ...here }) => ({ ...here, ...change }), how)
  return (
    <search class="filters">
      <div class="filter-row">
        <div class="search">
          <Icon name="search" />
          <Debounced inputRef={search} label={t('list.search')} value={place.q ?? ''} onChange={(q) => narrowTo({ q }, 'replace')} />
          <span class="key-hint" aria-hidden="true">
            /
          </span>
        </div>
        {(me.tenants === '*' ? hasTenants || place.tenant !== undefined : me.tenants.length > 1) && (
          <ClientFilter value={place.tenant ?? ''} onChange={(tenant) => narrowTo({ tenant })} />
        )}
        <Choice
          label={t('list.status')}
          value={statusOf(place) ?? ''}
          options={[['', t('list.anyStatus')], ...STATUSES.map((status): [string, string] => [status, t(`status.${status}`)])]}
          onChange={(status) => narrowTo({ status })}
        />
        {sorts && <Order place={place} onChange={(sort) => narrowTo({ sort })} />}
      </div>
      <fieldset class="views">
        <legend class="hidden">{t('list.views')}</legend>
        {offered.map((view) => (
          <button
            key={view}
            type="button"
            class="view"
            aria-pressed={viewOf(place) === view}
            onClick={() => narrowTo({ view: view === 'all' ? '' : view })}
          >
            {t(`view.${view}`)}
          </button>
        ))}
      </fieldset>
    </search>
  )
}
