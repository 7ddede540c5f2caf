import type { JSX } from 'preact'
import { ACTIONS } from '../../../model/event.js'
import { collator } from '../lib/format.js'
import { t } from '../lib/text.js'
import type { AuditEvent } from '../lib/types.js'
import { go, type Place } from '../lib/url.js'
import { Choice, Debounced } from '../ui/filter.js'
import { actionOf } from './query.js'
import { useSuggestions } from './suggest.js'

/** Filters by actor, action, token and time. */
export function EventFilters({ place, shown }: { readonly place: Place; readonly shown: readonly AuditEvent[] | undefined }): JSX.Element {
  const { actors, tokens } = useSuggestions(shown)
  const narrowTo = (change: Place): void => go((here) => ({ ...here, ...change }), 'replace')
  const day = (name: 'from' | 'to', label: string): JSX.Element => (
    <label class="day-filter">
      {label}
      <input type="date" value={place[name] ?? ''} onInput={(event) => narrowTo({ [name]: event.currentTarget.value })} />
    </label>
  )
  return (
    <search class="filters" aria-label={t('audit.filters')}>
      <div class="filter-row">
        <div class="client-filter">
          <Debounced label={t('audit.actor')} value={place.actor ?? ''} options={actors} onChange={(actor) => narrowTo({ actor })} />
        </div>
        <div class="client-filter">
          <Debounced label={t('audit.token')} value={place.about ?? ''} options={tokens} onChange={(about) => narrowTo({ about })} />
        </div>
        <Choice
          label={t('audit.action')}
          value={actionOf(place.action) ?? ''}
          options={[
            ['', t('audit.anyAction')],
            ...ACTIONS.map((action): [string, string] => [action, t(`event.${action}`)]).sort(([, a], [, b]) => collator.compare(a, b)),
          ]}
          onChange={(action) => narrowTo({ action })}
        />
        {day('from', t('audit.since'))}
        {day('to', t('audit.until'))}
      </div>
    </search>
  )
}
