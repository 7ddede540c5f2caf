import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { sayWhy, useWho, whyRefused } from '../acts/already.js'
import { holds } from '../form/differences.js'
import { call } from '../lib/api.js'
import { spanText } from '../lib/format.js'
import { useLoad, useMaybe, useTask } from '../lib/hooks.js'
import { MONTH_HOURS, sinceHours, useSpan } from '../lib/span.js'
import { t } from '../lib/text.js'
import type { Token, Usage } from '../lib/types.js'
import { Button } from '../ui/button.js'
import { Dialog } from '../ui/dialog.js'
import { Maybe, ProblemLine } from '../ui/problem.js'
import { say } from '../ui/toasts.js'
import { Chips } from '../ui/token.js'

type Props = { readonly token: Token; readonly onChanged: () => void }

/** Shows which of a token's scopes its calls needed, and offers to remove the others. */
export function Advisor({ token, onChanged }: Props): JSX.Element {
  const span = useSpan(MONTH_HOURS)
  const { data, problem, reload } = useLoad(`${token.id} ${token.version}`, (signal) =>
    call<Usage>('GET', `${token.id}/usage`, {
      query: { from: new Date(sinceHours(span)).toISOString(), step: '1d' },
      signal,
    }),
  )
  const [asking, setAsking] = useState(false)
  const unused = data?.unusedScopes?.filter((scope) => token.scopes.includes(scope)) ?? []
  const found = data !== undefined && data.total > 0 && unused.length > 0
  return (
    <section class="card advisor" aria-labelledby="advisor">
      <div class="card-head">
        <h2 id="advisor">{t('advisor.title')}</h2>
        {found && <Button onClick={() => setAsking(true)}>{t('advisor.remove', { count: unused.length })}</Button>}
      </div>
      {data === undefined && problem === undefined && <p class="muted none">{t('use.loading')}</p>}
      {data !== undefined && <p class="muted none">{t(verdictOf(data, unused), { span: spanText(span) })}</p>}
      {found && <Chips items={unused} most={100} />}
      <ProblemLine problem={problem} reload={reload} />
      {asking && <Remove token={token} unused={unused} span={spanText(span)} onClose={() => setAsking(false)} onChanged={onChanged} />}
    </section>
  )
}

function verdictOf({ total, unusedScopes }: Usage, unused: readonly string[]) {
  if (total === 0) return 'advisor.noCalls'
  if (unusedScopes === undefined) return 'advisor.unknown'
  return unused.length === 0 ? 'advisor.allUsed' : 'advisor.unused'
}

type RemoveProps = Props & { readonly unused: readonly string[]; readonly span: string; readonly onClose: () => void }

function Remove({ token, unused, span, onClose, onChanged }: RemoveProps): JSX.Element {
  const { busy, problem, run } = useTask()
  const close = useMaybe(problem, onChanged, onClose)
  const who = useWho()
  const kept = token.scopes.filter((scope) => !unused.includes(scope))
  const remove = (): Promise<void> =>
    run(async () => {
      try {
        await call('PATCH', token.id, { body: { scopes: kept }, version: token.version })
        say(t('form.saved'))
      } catch (error) {
        const problem = await whyRefused(error, token.id, 'edit', who)
        if (problem.told !== undefined || problem.status !== 412) sayWhy(problem)
        else {
          // An earlier response was lost, and the only change since then is the requested one.
          const now = await call<Token>('GET', token.id)
          say(t(now.version === token.version + 1 && holds({ scopes: kept }, now) ? 'form.saved' : 'lifecycle.stale'))
        }
      }
      onClose()
      onChanged()
    })
  return (
    <Dialog
      title={t('advisor.remove', { count: unused.length })}
      onClose={close}
      footer={
        <>
          <Button onClick={close}>{t('action.cancel')}</Button>
          <Button kind="primary" busy={busy} onClick={() => void remove()}>
            {t('advisor.confirm')}
          </Button>
        </>
      }
    >
      <p>{t('advisor.warning', { span })}</p>
      <div>
        <p class="sub">{t('advisor.removed')}</p>
        <Chips items={unused} most={100} />
      </div>
      <div>
        <p class="sub">{t('advisor.kept')}</p>
        <Chips items={kept} most={100} />
      </div>
      <ProblemLine problem={problem} />
      <Maybe problem={problem} text="form.maybeSaved" />
    </Dialog>
  )
}
