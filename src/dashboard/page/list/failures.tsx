import type { JSX } from 'preact'
import type { Problem } from '../lib/problem.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { Button } from '../ui/button.js'
import { Dialog } from '../ui/dialog.js'
import { ProblemText } from '../ui/problem.js'

/** One token that could not be changed, and why. */
export type Failure = { readonly token: Token; readonly problem: Problem }

/** Says how many changes failed. If the outcome of some is unknown, the text does not claim that those tokens stayed as they were. */
export const failedText = (failures: readonly Failure[]): string =>
  t(failures.some(({ problem }) => problem.open) ? 'bulk.unsure' : 'bulk.failed', { count: failures.length })

type Props = { readonly done: number; readonly failures: readonly Failure[]; readonly onClose: () => void }

/** The tokens that could not be changed, each with its reason. */
export function Failures({ done, failures, onClose }: Props): JSX.Element {
  return (
    <Dialog
      title={failedText(failures)}
      onClose={onClose}
      footer={
        <Button kind="primary" first onClick={onClose}>
          {t('action.close')}
        </Button>
      }
    >
      {(done > 0 || !failures.some(({ problem }) => problem.open)) && <p>{t('bulk.changed', { count: done })}</p>}
      <ul class="plain-list">
        {failures.map(({ token, problem }) => (
          <li key={token.id}>
            <strong>
              <bdi>{token.name}</bdi>
            </strong>{' '}
            <code>{token.hint}</code>
            <p class="error">
              <ProblemText problem={problem} /> {problem.open && t('bulk.maybe')}
            </p>
          </li>
        ))}
      </ul>
      {failures.some(({ problem }) => problem.told === undefined) && <p class="muted">{t('bulk.stay')}</p>}
    </Dialog>
  )
}
