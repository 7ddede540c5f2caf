import type { JSX } from 'preact'
import { t } from '../lib/text.js'
import { go, type Place } from '../lib/url.js'
import { Icon } from '../ui/icons.js'
import { type Rows, SIZES, sizeOf } from './query.js'

type Props = { readonly place: Place; readonly rows: Rows }

/** The current page, with links to the previous and the next page. */
export function Pager({ place, rows }: Props): JSX.Element {
  const { page, more, items } = rows
  const turn = (to: number): void => go(({ page: _, ...first }) => (to < 2 ? first : { ...first, page: String(to) }))
  const resize = (size: string): void => go(({ page: _, ...first }) => ({ ...first, size }))
  return (
    <nav class="pager" aria-label={t('list.pages')}>
      <span class="muted">{t('list.shown', { count: items.length })}</span>
      <label class="size">
        {t('list.size')}
        <select value={String(sizeOf(place))} onChange={(event) => resize(event.currentTarget.value)}>
          {SIZES.map((size) => (
            <option key={size} value={size}>
              {size}
            </option>
          ))}
        </select>
      </label>
      <span class="pager-buttons">
        <button type="button" class="button plain" aria-disabled={page < 2} onClick={() => page > 1 && turn(page - 1)}>
          <Icon name="back" />
          <span>{t('list.previous')}</span>
        </button>
        <span class="page-number" aria-current="page">
          {t('list.page', { page })}
        </span>
        <button type="button" class="button plain" aria-disabled={!more} onClick={() => more && turn(page + 1)}>
          <span>{t('list.next')}</span>
          <Icon name="next" />
        </button>
      </span>
    </nav>
  )
}
