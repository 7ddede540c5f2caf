import type { JSX } from 'preact'
import { t } from '../lib/text.js'
import { go, type Place } from '../lib/url.js'
import { Button } from '../ui/bits.js'
import { Icon } from '../ui/icons.js'
import { SIZES, sizeOf, sortOf } from './query.js'

type Props = { readonly place: Place; readonly next: Pick<Place, 'cursor' | 'page'> | undefined; readonly shown: number }

/** Which page this is, and the ways to its neighbours. */
export function Pager({ place, next, shown }: Props): JSX.Element {
  const page = Number(place.page ?? '1') || 1
  const { cursor: _, page: __, ...first } = place
  const { column, descending } = sortOf(place)
  const byCursor = column === 'created' && descending
  const turn = (to: Place): void => {
    go(to)
    scrollTo(0, 0)
  }
  // Cursors lead forward only: the way back is the browser's, or to the first page.
  const back = (): void => (byCursor ? history.back() : turn(page > 2 ? { ...first, page: String(page - 1) } : first))
  return (
    <nav class="pager" aria-label={t('list.page', { page })}>
      <span class="muted">{t('list.shown', { count: shown })}</span>
      <label class="size">
        {t('list.size')}
        <select value={String(sizeOf(place))} onChange={(event) => go({ ...first, size: event.currentTarget.value })}>
          {SIZES.map((size) => (
            <option key={size} value={size}>
              {size}
            </option>
          ))}
        </select>
      </label>
      <span class="pager-buttons">
        {byCursor && page > 2 && <Button onClick={() => turn(first)}>{t('list.newest')}</Button>}
        <button type="button" class="button plain" disabled={page < 2} onClick={byCursor && history.length < 2 ? () => turn(first) : back}>
          <Icon name="back" />
          <span>{t('list.previous')}</span>
        </button>
        <span class="page-number" aria-current="page">
          {t('list.page', { page })}
        </span>
        <button type="button" class="button plain" disabled={next === undefined} onClick={() => next && turn({ ...place, ...next })}>
          <span>{t('list.next')}</span>
          <Icon name="next" />
        </button>
      </span>
    </nav>
  )
}
