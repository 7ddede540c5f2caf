import type { JSX } from 'preact'
import type { Problem } from '../lib/api.js'
import { config } from '../lib/config.js'
import { t } from '../lib/text.js'
import { Blank, Button } from './bits.js'

type Props = { readonly problem: Problem; readonly reload: () => void; readonly main?: boolean }

/** A whole-page state for what could not be loaded. */
export function ProblemState({ problem, reload, main }: Props): JSX.Element {
  if (problem.status === 401) {
    return (
      <Blank main={main} icon="lock" title="state.signedOut.title" text="state.signedOut.text" alert>
        {config.signIn !== undefined && (
          <a class="button primary" href={config.signIn}>
            {t('action.signIn')}
          </a>
        )}
        <Button onClick={reload}>{t('action.retry')}</Button>
      </Blank>
    )
  }
  if (problem.status === 403) return <Blank main={main} icon="ban" title="state.forbidden.title" text="state.forbidden.text" alert />
  if (problem.status === 404) return <Blank main={main} icon="search" title="state.missing.title" text="state.missing.text" alert />
  if (problem.transient) {
    return (
      <Blank main={main} icon="cloud" title="state.down.title" text="state.down.text" tone="danger" alert>
        <Button icon="rotate" onClick={reload}>
          {t('action.retry')}
        </Button>
      </Blank>
    )
  }
  return (
    <Blank main={main} icon="warn" title="state.failed.title" detail={problem.message} tone="danger" alert>
      <Button onClick={reload}>{t('action.retry')}</Button>
    </Blank>
  )
}

/** The same on one line, inside of a dialog. */
export function ProblemLine({ problem }: { readonly problem: Problem | undefined }): JSX.Element {
  return (
    <div role="alert">
      {problem && (
        <p class="problem-line">
          {problem.transient ? t('state.down.title') : problem.status === 401 ? t('state.signedOut.title') : problem.message}
        </p>
      )}
    </div>
  )
}
