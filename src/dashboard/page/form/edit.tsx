import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { call } from '../lib/api.js'
import { useTask } from '../lib/hooks.js'
import { Problem } from '../lib/problem.js'
import { Rich } from '../lib/rich.js'
import { t } from '../lib/text.js'
import type { AuditEvent, Page, Token } from '../lib/types.js'
import { Button } from '../ui/button.js'
import { Dialog } from '../ui/dialog.js'
import { focusWrong } from '../ui/focus.js'
import { useGuardedClose } from '../ui/leave.js'
import { fieldErrors, Maybe, ProblemLine } from '../ui/problem.js'
import { say } from '../ui/toasts.js'
import { Conflict, type Theirs } from './conflict.js'
import { type Changes, holds } from './differences.js'
import { changesOf, check, draftOf, isChanged } from './draft.js'
import { TokenForm } from './form.js'

type Props = { readonly token: Token; readonly onClose: () => void; readonly onSaved: () => void }

/** The actions that change a record. Refusals and reminders do not. */
const CHANGES = ['token.updated', 'token.activated', 'token.deactivated', 'token.rotated', 'token.revoked'] as const

async function loadTheirs(id: string): Promise<Theirs> {
  const [token, last] = await Promise.all([
    call<Token>('GET', id),
    call<Page<AuditEvent>>('GET', `${id}/events`, { query: { limit: 1, action: CHANGES } }).catch(() => undefined),
  ])
  return { token, by: last?.items[0]?.actorId }
}

/** Returns whether the user's own earlier attempt is the only change to the token. */
const isOwn = (sent: Changes, version: number, found: Token): boolean =>
  found.version === version + 1 && found.revokedAt === undefined && holds(sent, found)

/** Edits a token. If someone else saved it first, both versions are shown, and nothing is lost. */
export function Edit({ token, onClose, onSaved }: Props): JSX.Element {
  const [before] = useState(() => draftOf(token))
  const [draft, setDraft] = useState(before)
  const [tried, setTried] = useState(false)
  const [theirs, setTheirs] = useState<Theirs | undefined>()
  // An earlier attempt without a response, which may have been saved.
  const lost = useRef<Changes | undefined>(undefined)
  const { busy, problem, run, clear } = useTask()
  const found = check(draft)
  const changes = changesOf(draft, before)
  const leave = (): void => {
    onClose()
    if (theirs !== undefined || lost.current !== undefined || problem?.kind === 'missing') onSaved()
  }
  const close = useGuardedClose(isChanged(draft, before), leave)

  const save = (body: Changes, version: number): Promise<void> =>
    run(async () => {
      if (Object.keys(body).length > 0) {
        try {
          await call('PATCH', token.id, { body, version })
        } catch (error) {
          const { status, code, open } = Problem.of(error)
          if (open) lost.current = body
          // A conflict without a version means that the token was revoked in the meantime.
          if (status !== 412 && code !== 'conflict') {
            focusWrong()
            throw error
          }
          const found = await loadTheirs(token.id)
          if (lost.current === undefined || !isOwn(lost.current, version, found.token)) {
            lost.current = undefined
            setTheirs(found)
            return
          }
          // Saves what was edited since then.
          if (!holds(body, found.token)) await call('PATCH', token.id, { body, version: found.token.version })
        }
        say(t('form.saved'))
      }
      onClose()
      onSaved()
    })
  const submit = (): void => {
    setTried(true)
    if (Object.keys(found).length === 0) void save(changes, token.version)
    else focusWrong()
  }
  if (theirs !== undefined) {
    return (
      <Conflict
        key={`conflict ${theirs.token.version}`}
        before={token}
        theirs={theirs}
        mine={changes}
        busy={busy}
        problem={problem}
        onSave={(chosen) => void save(chosen, theirs.token.version)}
        onLeave={close}
        onDiscard={leave}
      />
    )
  }
  return (
    <Dialog
      key="form"
      title={<Rich k="form.edit" name={token.name} />}
      size="large"
      onClose={close}
      onSubmit={submit}
      footer={
        <>
          <Button onClick={close}>{t('action.cancel')}</Button>
          <Button kind="primary" submit busy={busy}>
            {t('action.save')}
          </Button>
        </>
      }
    >
      <ProblemLine problem={problem} />
      <Maybe problem={problem} text="form.maybeSaved" />
      <TokenForm
        draft={draft}
        kept={token.scopes}
        errors={{ ...fieldErrors(problem), ...(tried ? found : {}) }}
        onChange={(next) => {
          setDraft(next)
          if (problem) clear()
        }}
      />
    </Dialog>
  )
}
