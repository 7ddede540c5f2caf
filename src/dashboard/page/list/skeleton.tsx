import type { JSX } from 'preact'
import { t } from '../lib/text.js'

/** A placeholder for the list while it loads for the first time. */
export function Skeleton(): JSX.Element {
  return (
    <div class="card skeleton" role="status">
      <span class="hidden">{t('list.loading')}</span>
      {[0, 1, 2, 3, 4, 5].map((row) => (
        <div class="skeleton-row" key={row} aria-hidden="true">
          <span class="bone wide" />
          <span class="bone" />
          <span class="bone short" />
          <span class="bone" />
        </div>
      ))}
    </div>
  )
}
