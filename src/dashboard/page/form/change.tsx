import type { JSX } from 'preact'
import { Rich } from '../lib/rich.js'
import { t } from '../lib/text.js'
import { Chips } from '../ui/token.js'

/** A token's permissions before and after an edit, and what the edit adds and removes. */
export function ScopeChange({
  before,
  after,
}: {
  readonly before: readonly string[]
  readonly after: readonly string[]
}): JSX.Element | null {
  const added = after.filter((scope) => !before.includes(scope))
  const removed = before.filter((scope) => !after.includes(scope))
  if (added.length + removed.length === 0) return null
  return (
    <section class="scope-change" aria-label={t('form.change')}>
      <div>
        <p class="sub">{t('audit.before')}</p>
        <Chips items={before} most={100} />
      </div>
      <div>
        <p class="sub">{t('audit.after')}</p>
        <Chips items={after} most={100} />
      </div>
      <p role="status">
        {added.length > 0 && <Rich k="form.added" scopes={<ins>{added.join(', ')}</ins>} />}{' '}
        {removed.length > 0 && <Rich k="form.removed" scopes={<del>{removed.join(', ')}</del>} />}
      </p>
    </section>
  )
}
