import type { JSX } from 'preact'
import { valueText } from '../detail/value.js'
import { useNow } from '../lib/clock.js'
import { ago } from '../lib/format.js'
import type { Problem } from '../lib/problem.js'
import { fieldName, t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { Banner } from '../ui/banner.js'
import { Button } from '../ui/button.js'
import { Dialog } from '../ui/dialog.js'
import { ProblemLine } from '../ui/problem.js'

type Props = {
  readonly theirs: Token
  readonly mine: { readonly [field: string]: unknown }
  readonly busy: boolean
  readonly problem: Problem | undefined
  readonly onSave: () => void
  readonly onLeave: () => void
}

/** What somebody else wrote meanwhile, beside what was written here. Nothing can be saved over a token that was revoked. */
export function Conflict({ theirs, mine, busy, problem, onSave, onLeave }: Props): JSX.Element {
  const now = useNow()
  const over = theirs.revokedAt
  return (
    <Dialog
      title={t('conflict.title')}
      size="large"
      onClose={onLeave}
      footer={
        <>
          <Button onClick={onLeave}>{t(over === undefined ? 'conflict.takeTheirs' : 'action.close')}</Button>
          {over === undefined && (
            <Button kind="primary" busy={busy} onClick={onSave}>
              {t('conflict.takeMine')}
            </Button>
          )}
        </>
      }
    >
      {over === undefined ? (
        <Banner tone="warn">{t('conflict.text')}</Banner>
      ) : (
        <Banner tone="danger" icon="ban">
          <p>{t('conflict.revoked', { time: ago(over, now), name: theirs.revokedBy ?? '' })}</p>
          <p>{t('conflict.copyMine')}</p>
        </Banner>
      )}
      <table class="diff">
        <thead>
          <tr>
            <th scope="col">{t('conflict.field')}</th>
            <th scope="col">{t('conflict.theirs')}</th>
            <th scope="col">{t('conflict.mine')}</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(mine).map(([field, value]) => (
            <tr key={field}>
              <th scope="row">{fieldName(field)}</th>
              <td>{valueText(Reflect.get(theirs, field))}</td>
              <td>{valueText(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <ProblemLine problem={problem} />
    </Dialog>
  )
}
