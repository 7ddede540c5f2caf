import type { JSX } from 'preact'
import { valueText } from '../detail/value.js'
import type { Problem } from '../lib/problem.js'
import { Rich } from '../lib/rich.js'
import { fieldName, t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { Banner } from '../ui/banner.js'
import { Button } from '../ui/button.js'
import { Dialog } from '../ui/dialog.js'
import { ProblemLine } from '../ui/problem.js'
import { Ago } from '../ui/time.js'

type Props = {
  readonly theirs: Token
  readonly mine: { readonly [field: string]: unknown }
  readonly busy: boolean
  readonly problem: Problem | undefined
  readonly onSave: () => void
  readonly onLeave: () => void
}

/** Shows what somebody else wrote meanwhile beside what was written here. Nothing can be saved over a revoked token. */
export function Conflict({ theirs, mine, busy, problem, onSave, onLeave }: Props): JSX.Element {
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
          <p>
            <Rich k="conflict.revoked" time={<Ago at={over} />} name={theirs.revokedBy ?? ''} />
          </p>
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
              <td>
                <bdi>{valueText(Reflect.get(theirs, field))}</bdi>
              </td>
              <td>
                <bdi>{valueText(value)}</bdi>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <ProblemLine problem={problem} />
    </Dialog>
  )
}
