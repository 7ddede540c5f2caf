import type { ComponentChildren, JSX } from 'preact'
import { useState } from 'preact/hooks'
import { useNow } from '../lib/clock.js'
import { config } from '../lib/config.js'
import type { Problem, ProblemKind } from '../lib/problem.js'
import { type Key, t, textOr } from '../lib/text.js'
import { Blank } from './blank.js'
import { Button } from './button.js'
import type { IconName } from './icons.js'

type State = { readonly icon: IconName; readonly title: Key; readonly text?: Key; readonly tone?: 'danger' }

const STATES: { readonly [kind in ProblemKind]: State } = {
  offline: { icon: 'cloud', title: 'state.offline.title', text: 'state.offline.text' },
  unreachable: { icon: 'cloud', title: 'state.unreachable.title', text: 'state.unreachable.text', tone: 'danger' },
  intercepted: { icon: 'lock', title: 'state.intercepted.title', text: 'state.intercepted.text' },
  limited: { icon: 'clock', title: 'state.limited.title', text: 'state.limited.text' },
  server: { icon: 'warn', title: 'state.server.title', text: 'state.server.text', tone: 'danger' },
  store: { icon: 'cloud', title: 'state.store.title', text: 'state.store.text', tone: 'danger' },
  callback: { icon: 'warn', title: 'state.callback.title', text: 'state.callback.text', tone: 'danger' },
  moving: { icon: 'clock', title: 'state.moving.title', text: 'state.moving.text' },
  signedOut: { icon: 'lock', title: 'state.signedOut.title', text: 'state.signedOut.text' },
  forbidden: { icon: 'ban', title: 'state.forbidden.title', text: 'state.forbidden.text' },
  missing: { icon: 'search', title: 'state.missing.title', text: 'state.missing.text' },
  refused: { icon: 'warn', title: 'state.failed.title', tone: 'danger' },
}

/** A retry cannot help. */
const FINAL: ReadonlySet<ProblemKind> = new Set(['forbidden', 'missing'])

type Props = {
  readonly problem: Problem
  readonly reload: () => void
  readonly retryAt?: number | undefined
  readonly main?: boolean
}

/** A whole-page state for data that could not be loaded. */
export function ProblemState({ problem, reload, retryAt, main }: Props): JSX.Element {
  const { icon, title, text, tone } = STATES[problem.kind]
  return (
    <Blank
      main={main}
      icon={icon}
      title={title}
      text={text}
      tone={tone}
      detail={
        problem.kind === 'refused' ? <ServerText text={problem.message} code={problem.code} /> : retryAt && <Countdown to={retryAt} />
      }
      alert
    >
      {problem.kind === 'signedOut' && config.signIn !== undefined && (
        <a class="button primary" href={config.signIn}>
          {t('action.signIn')}
        </a>
      )}
      {problem.kind === 'intercepted' && (
        <Button kind="primary" onClick={() => location.reload()}>
          {t('action.reload')}
        </Button>
      )}
      {!FINAL.has(problem.kind) && (
        <Button icon="rotate" onClick={reload}>
          {t('action.retry')}
        </Button>
      )}
    </Blank>
  )
}

/** A problem on one line, in a dialog, form or section. Typed text is kept, so a signed-out user signs in using another tab. */
export function ProblemLine({ problem, reload }: { readonly problem: Problem | undefined; readonly reload?: () => void }): JSX.Element {
  return (
    <div role="alert">
      {problem && (
        <p class="problem-line">
          <ProblemText problem={problem} />{' '}
          {problem.kind === 'limited' && problem.retryAfter !== undefined && <After key={problem} seconds={problem.retryAfter} />}
          {problem.kind === 'signedOut' && (
            <>
              {t('state.signInThen')}{' '}
              {config.signIn !== undefined && (
                <a href={config.signIn} target="_blank" rel="noopener noreferrer">
                  {t('action.signIn')}
                </a>
              )}
            </>
          )}
          {problem.kind === 'intercepted' && (
            <>
              {t('state.interceptedThen')}{' '}
              <a href={location.pathname} target="_blank" rel="noopener noreferrer">
                {t('action.newTab')}
              </a>
            </>
          )}
          {reload && !FINAL.has(problem.kind) && (
            <Button kind="quiet" onClick={reload}>
              {t('action.retry')}
            </Button>
          )}
        </p>
      )}
    </div>
  )
}

/** Tells the user that a change may have been made although no response arrived. */
export function Maybe({ problem, text }: { readonly problem: Problem | undefined; readonly text: Key }): JSX.Element {
  return <div role="status">{problem?.open && <p>{t(text)}</p>}</div>
}

/** A problem as one sentence. */
export function ProblemText({ problem }: { readonly problem: Problem }): JSX.Element {
  const told = changedText(problem)
  if (told !== undefined) return <span>{told}</span>
  if (problem.kind !== 'refused' && problem.kind !== 'forbidden') return <>{t(STATES[problem.kind].title)}.</>
  return <ServerText text={problem.message} code={problem.code} />
}

/** Returns a text about what someone else did to the token. The server's message is about versions, which users do not see. */
const changedText = ({ told, status }: Problem): string | undefined => told ?? (status === 412 ? t('code.conflict') : undefined)

/** Like `ProblemText`, for names, which may come from the host application. */
export function NamesProblem({ problem }: { readonly problem: Problem }): JSX.Element {
  return problem.kind === 'callback' ? <span>{t('names.failed')}</span> : <ProblemText problem={problem} />
}

/** The hint of a field whose suggestions could not be loaded: an ID can still be entered. */
export const suggestionHint = (problem: Problem | undefined, hint?: string): ComponentChildren =>
  problem === undefined ? (
    hint
  ) : (
    <>
      <NamesProblem problem={problem} /> {t('picker.failed')}
    </>
  )

/** Like `ProblemText`, as plain text. */
export function problemSentence(problem: Problem): string {
  const told = changedText(problem)
  if (told !== undefined) return told
  if (problem.kind !== 'refused' && problem.kind !== 'forbidden') return `${t(STATES[problem.kind].title)}.`
  return config.language.startsWith('en') ? problem.message : textOr(`code.${problem.code}`, t('code.other'))
}

/** The server's message, which is English. In other languages, it follows a translated text for its code. */
export function ServerText({ text, code }: { readonly text: string; readonly code: string }): JSX.Element {
  if (config.language.startsWith('en')) return <span>{text}</span>
  return (
    <span>
      {textOr(`code.${code}`, t('code.other'))}{' '}
      <span class="server-text" lang="en" dir="ltr">
        {text}
      </span>
    </span>
  )
}

/** Returns the server's messages about single fields, which are shown beside them. */
export function fieldErrors(problem: Problem | undefined): { readonly [field: string]: JSX.Element } {
  const fields = Object.entries(problem?.fields ?? {})
  return Object.fromEntries(fields.map(([field, text]) => [field, <ServerText key={field} text={text} code="invalid_input" />]))
}

/** The time until the next retry. Hidden from screen readers, which would announce it every second. */
function Countdown({ to }: { readonly to: number }): JSX.Element {
  const seconds = Math.ceil((to - useNow(true)) / 1000)
  return <span aria-hidden="true">{seconds > 0 ? t('state.retryIn', { count: seconds }) : t('state.retrying')}</span>
}

function After({ seconds }: { readonly seconds: number }): JSX.Element | null {
  const [until] = useState(() => Date.now() + seconds * 1000)
  const left = Math.ceil((until - useNow(true)) / 1000)
  return left > 0 ? <span aria-hidden="true">{t('state.waitFor', { count: left })}</span> : null
}
