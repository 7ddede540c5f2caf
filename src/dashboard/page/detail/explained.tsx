import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { call, type Query } from '../lib/api.js'
import { moment } from '../lib/format.js'
import { useLoad } from '../lib/hooks.js'
import { useName } from '../lib/names.js'
import type { Problem } from '../lib/problem.js'
import { Rich } from '../lib/rich.js'
import { type Key, t } from '../lib/text.js'
import type { Explanation, Step } from '../lib/types.js'
import { announce } from '../ui/announce.js'
import { Banner } from '../ui/banner.js'
import { Icon, type IconName } from '../ui/icons.js'
import { ProblemLine } from '../ui/problem.js'
import { User } from '../ui/who.js'
import { reasonOf } from './reason.js'

const NAME_PATIENCE_MS = 1000

type Props = {
  readonly id: string
  /** Loaded again when the token changes. */
  readonly version: number
  readonly query: Query
  readonly round: number
  readonly onProblem: (problem: Problem | undefined) => void
}

/** The codes for callers that sent something other than this token. */
const OTHER_TEXT: ReadonlySet<string | undefined> = new Set(['secret_mismatch', 'token_malformed', 'token_invalid'])
/** The codes of routes. The audit log does not record which scope they required. */
const BY_ROUTE: ReadonlySet<string | undefined> = new Set(['scope_insufficient', 'resource_denied'])
/** A host may serve only part of the API that this page uses. */
const NOT_OFFERED: ReadonlySet<number | undefined> = new Set([403, 404, 405])

/** The answer to a question: the verdict first, then every step. */
export function Explained({ id, version, query, round, onProblem }: Props): JSX.Element {
  const { data, problem, loading, reload } = useLoad(`${id} ${version} ${round}`, (signal) =>
    call<Explanation>('GET', `${id}/explain`, { query, signal }),
  )
  const answer = loading || problem !== undefined ? undefined : data
  useEffect(() => onProblem(problem), [problem])
  const ownerId = (answer && refusing(answer)?.ownerId) ?? ''
  const owner = useName('owners', ownerId)
  const announced = useRef<Explanation | undefined>(undefined)
  // An answer is announced once. If the owner's name is still loading, the announcement waits a moment for it.
  useEffect(() => {
    if (answer === undefined || answer === announced.current) return
    const tell = (): void => {
      announced.current = answer
      announce(sentenceOf(answer, query, owner))
    }
    if (owner !== ownerId || owner === '') return tell()
    const timer = setTimeout(tell, NAME_PATIENCE_MS)
    return () => clearTimeout(timer)
  }, [answer, owner])
  if (NOT_OFFERED.has(problem?.status))
    return (
      <p class="problem-line" role="alert">
        {t('explain.notOffered')}
      </p>
    )
  return (
    <div class="explained">
      {loading && <p class="muted">{t('use.loading')}</p>}
      <ProblemLine problem={problem} reload={reload} />
      {answer && (
        <>
          <Verdict answer={answer} query={query} />
          <Recorded answer={answer} />
          <h3>{t('explain.steps')}</h3>
          <ol>
            {answer.steps.map((step) => (
              <Line key={step.step} step={step} />
            ))}
          </ol>
        </>
      )}
    </div>
  )
}

const refusing = ({ steps }: Explanation): Step | undefined => steps.find(({ ok }) => ok === false)

/** If no step refuses: whether the token is accepted, and why the audit log may say otherwise. */
function passingOf({ ok, refusals = [] }: Explanation, { scope }: Query): { readonly verdict: Key; readonly note?: Key } {
  const verdict = ok ? 'explain.letIn' : 'explain.unsure'
  if (refusals.some(({ code }) => OTHER_TEXT.has(code))) return { verdict, note: 'explain.otherText' }
  if (scope === '' && refusals.some(({ code }) => BY_ROUTE.has(code))) return { verdict: 'explain.unsure', note: 'explain.byRoute' }
  return { verdict }
}

/** For screen readers: the verdict, the reason and what to do. */
function sentenceOf(answer: Explanation, query: Query, owner: string): string {
  const step = refusing(answer)
  if (step === undefined) {
    const { verdict, note } = passingOf(answer, query)
    return note === undefined ? t(verdict) : `${t(verdict)}. ${t(note)}`
  }
  const { why, what } = reasonOf(step)
  return `${t('explain.refused')}. ${t(why.k, { ...why.blanks, owner })} ${t(what.k, what.blanks)}`
}

function Verdict({ answer, query }: { readonly answer: Explanation; readonly query: Query }): JSX.Element {
  const step = refusing(answer)
  const asOf = <p class="sub">{t('explain.asOf', { time: moment(answer.at) })}</p>
  if (step === undefined) {
    const { verdict, note } = passingOf(answer, query)
    return (
      <Banner tone="info" icon={verdict === 'explain.letIn' ? 'check' : 'info'}>
        <p>
          <strong>{t(verdict)}</strong>
        </p>
        {note !== undefined && <p>{t(note)}</p>}
        {asOf}
      </Banner>
    )
  }
  const { why, what } = reasonOf(step)
  return (
    <Banner tone="danger" icon="ban">
      <p>
        <strong>{t('explain.refused')}</strong> {answer.code && <code>{answer.code}</code>}
      </p>
      <p>
        <Rich k={why.k} {...why.blanks} {...ownerOf(step)} />
      </p>
      <p>
        <Rich k={what.k} {...what.blanks} />
      </p>
      {asOf}
    </Banner>
  )
}

/** The refusals that the audit log recorded around that time. */
function Recorded({ answer: { refusals = [] } }: { readonly answer: Explanation }): JSX.Element | null {
  if (refusals.length === 0) return null
  return (
    <>
      <h3>{t('explain.recorded')}</h3>
      <ul>
        {refusals.map(({ at, code, count = 1, ip }) => (
          <li key={`${at} ${code} ${ip}`}>
            <Icon name="lock" />
            <span>
              {moment(at)} <code>{code}</code> {count > 1 && t('audit.times', { count })}{' '}
              {ip !== undefined && <Rich k="audit.from" ip={<span class="mono">{ip}</span>} />}
            </span>
          </li>
        ))}
      </ul>
    </>
  )
}

function Line({ step }: { readonly step: Step }): JSX.Element {
  const { tone, icon } = lookOf(step)
  const reason = step.ok === false ? reasonOf(step) : undefined
  return (
    <li class={tone}>
      <Icon name={icon} />
      <div>
        <p>
          <span>{t(`explain.step.${step.step}`)}</span> <strong>{t(`explain.${tone}`)}</strong>
        </p>
        {reason !== undefined && (
          <p class="sub">
            <Rich k={reason.why.k} {...reason.why.blanks} {...ownerOf(step)} /> <Rich k={reason.what.k} {...reason.what.blanks} />
          </p>
        )}
        {step.unknown !== undefined && <p class="sub">{t(`explain.not.${step.unknown}`)}</p>}
        {step.assumes !== undefined && <p class="sub">{t('explain.today')}</p>}
      </div>
    </li>
  )
}

function lookOf({ ok }: Step): { readonly tone: 'passed' | 'refuses' | 'unknown'; readonly icon: IconName } {
  if (ok === undefined) return { tone: 'unknown', icon: 'info' }
  return ok ? { tone: 'passed', icon: 'check' } : { tone: 'refuses', icon: 'ban' }
}

const ownerOf = ({ step, ownerId }: Step): { readonly owner?: JSX.Element } =>
  step === 'owner' && ownerId !== undefined ? { owner: <User id={ownerId} /> } : {}
