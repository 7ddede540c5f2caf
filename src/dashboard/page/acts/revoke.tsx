import type { ComponentChildren, JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { call } from '../lib/api.js'
import { useLoad, useMaybe, useTask } from '../lib/hooks.js'
import { Problem } from '../lib/problem.js'
import { Rich } from '../lib/rich.js'
import { t } from '../lib/text.js'
import type { Page, Token } from '../lib/types.js'
import { Banner } from '../ui/banner.js'
import { Button } from '../ui/button.js'
import { Dialog } from '../ui/dialog.js'
import { TextField } from '../ui/fields.js'
import { useGuardedClose } from '../ui/leave.js'
import { Maybe, ProblemLine } from '../ui/problem.js'
import { say } from '../ui/toasts.js'
import { sayWhy, useWho } from './already.js'
import { Breaks } from './breaks.js'
import { endToken } from './end.js'
import { LastUse, Together } from './together.js'

/** Asks for confirmation before a token is revoked, and shows what will break. */
export function Revoke({
  token,
  onClose,
  onDone,
}: {
  readonly token: Token
  readonly onClose: () => void
  readonly onDone: () => void
}): JSX.Element {
  const [reason, setReason] = useState('')
  const { busy, problem, run } = useTask()
  const close = useMaybe(problem, onDone, onClose)
  const who = useWho()
  const tried = useRef(false)
  tried.current ||= problem?.open === true
  const revoke = (): Promise<void> =>
    run(async () => {
      try {
        await endToken(token, reason, who, tried.current)
        say(t('revoke.done'))
      } catch (error) {
        sayWhy(Problem.of(error))
      }
      onClose()
      onDone()
    })
  return (
    <Confirm
      title={<Rich k="revoke.title" name={token.name} />}
      reason={reason}
      onReason={setReason}
      busy={busy}
      onClose={close}
      onConfirm={() => void revoke()}
    >
      <Banner tone="danger">
        <p>{t('revoke.text')}</p>
        <Breaks token={token} />
      </Banner>
      <ProblemLine problem={problem} />
      <Maybe problem={problem} text="revoke.maybe" />
    </Confirm>
  )
}

/** Asks for confirmation before the tokens selected in the list are revoked, and shows what will break. */
export function RevokeSelected(props: {
  readonly tokens: readonly Token[]
  readonly onClose: () => void
  readonly onConfirm: (reason: string) => void
}): JSX.Element {
  const [reason, setReason] = useState('')
  const { tokens } = props
  const ids = tokens.map(({ id }) => id)
  // The list may be outdated, so the usage is loaded again now.
  const { data, problem } = useLoad(ids.join(), (signal) => call<Page<Token>>('GET', '.', { query: { ids, limit: ids.length }, signal }))
  return (
    <Confirm
      title={t('revoke.selected', { count: tokens.length })}
      reason={reason}
      onReason={setReason}
      busy={false}
      onClose={props.onClose}
      onConfirm={() => props.onConfirm(reason)}
    >
      <Banner tone="danger">
        <p>{t(tokens.length === 1 ? 'revoke.text' : 'together.text')}</p>
        <Together tokens={data?.items} count={tokens.length} problem={problem} />
      </Banner>
      <ul class="plain-list">
        {tokens.map((token) => (
          <li key={token.id}>
            <bdi>{token.name}</bdi> <code>{token.hint}</code> <LastUse token={data?.items.find(({ id }) => id === token.id)} />
          </li>
        ))}
      </ul>
    </Confirm>
  )
}

// Only the button revokes: Enter in the reason does not.
function Confirm(props: {
  readonly title: ComponentChildren
  readonly reason: string
  readonly onReason: (reason: string) => void
  readonly busy: boolean
  readonly onClose: () => void
  readonly onConfirm: () => void
  readonly children: ComponentChildren
}): JSX.Element {
  const close = useGuardedClose(props.reason !== '' && !props.busy, props.onClose)
  return (
    <Dialog
      title={props.title}
      onClose={close}
      footer={
        <>
          <Button onClick={close}>{t('action.cancel')}</Button>
          <Button kind="danger" icon="ban" busy={props.busy} onClick={props.onConfirm}>
            {t('revoke.confirm')}
          </Button>
        </>
      }
    >
      {props.children}
      <TextField
        label={t('revoke.reason')}
        hint={t('revoke.reasonHint')}
        optional
        first
        most={500}
        value={props.reason}
        onInput={props.onReason}
      />
    </Dialog>
  )
}
