import type { JSX } from 'preact'
import { call } from '../lib/api.js'
import { useLoad } from '../lib/hooks.js'
import { type Key, t } from '../lib/text.js'
import type { Counts } from '../lib/types.js'
import { go, type Place } from '../lib/url.js'
import { type View, viewOf } from './query.js'

const PARTS: readonly { readonly name: keyof Counts; readonly view: View; readonly text: Key; readonly more: Key }[] = [
  { name: 'total', view: 'all', text: 'strip.total', more: 'strip.totalMore' },
  { name: 'expiring', view: 'expiringWeek', text: 'strip.expiring', more: 'strip.expiringMore' },
  { name: 'rotationDue', view: 'rotationDue', text: 'strip.rotationDue', more: 'strip.rotationDueMore' },
  { name: 'unused', view: 'unused', text: 'strip.unused', more: 'strip.unusedMore' },
]

type Props = {
  readonly place: Place
  readonly round: number
  /** Whether the list is loaded. It never waits for the counts, which are more expensive for the server. */
  readonly ready: boolean
}

/** The number of tokens, and of those that need attention. Each number is a link to a filter. */
export function Strip({ place, round, ready }: Props): JSX.Element | null {
  const { data } = useLoad(`${ready} ${place.tenant ?? ''} ${round}`, async (signal) =>
    ready ? call<Counts>('GET', 'counts', { query: { tenantId: place.tenant?.slice(0, 200) }, signal }) : undefined,
  )
  // Without tokens, there is nothing to show.
  if (data?.total.count === 0) return null
  const show = (view: View): void => go({ ...(place.tenant !== undefined && { tenant: place.tenant }), ...(view !== 'all' && { view }) })
  return (
    <fieldset class="strip">
      <legend class="hidden">{t('strip.title')}</legend>
      {PARTS.map(({ name, view, text, more }) => {
        const found = data?.[name]
        if (found === undefined) return null
        const { count } = found
        return (
          <button
            key={name}
            type="button"
            class={view !== 'all' && count > 0 ? 'due' : ''}
            aria-pressed={viewOf(place) === view}
            onClick={() => show(view)}
          >
            {t(found.more ? more : text, { count })}
          </button>
        )
      })}
    </fieldset>
  )
}
