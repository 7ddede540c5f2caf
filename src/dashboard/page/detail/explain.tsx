import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Query } from '../lib/api.js'
import { cutAddresses } from '../lib/cut.js'
import { readIds } from '../lib/ids.js'
import type { Problem } from '../lib/problem.js'
import { t } from '../lib/text.js'
import type { AuditEvent, Token } from '../lib/types.js'
import { useWorld } from '../lib/world.js'
import { Button } from '../ui/button.js'
import { Field, TextField } from '../ui/fields.js'
import { fieldErrors } from '../ui/problem.js'
import { Explained } from './explained.js'

type Props = {
  readonly token: Token
  /** A refusal to explain. Without one, the panel is closed at first. */
  readonly event?: AuditEvent | undefined
}

type Draft = { readonly scope: string; readonly ip: string; readonly at: string; readonly data: { readonly [dimension: string]: string } }

/** Explains why a token is accepted or refused, now or at another time. Loads nothing until it is opened. */
export function Explain({ token, event }: Props): JSX.Element {
  const [draft, setDraft] = useState<Draft>({ scope: '', ip: event?.ip ?? '', at: event === undefined ? '' : localOf(event.at), data: {} })
  const [asked, setAsked] = useState<{ readonly query: Query; readonly round: number } | undefined>()
  const [problem, setProblem] = useState<Problem | undefined>()
  const summary = useRef<HTMLElement>(null)
  const ask = (): void => setAsked((before) => ({ query: queryOf(draft, event), round: (before?.round ?? 0) + 1 }))
  useEffect(() => {
    if (event === undefined) return
    ask()
    summary.current?.focus()
  }, [])
  const open = (toggled: HTMLDetailsElement): void => {
    if (toggled.open && asked === undefined) ask()
  }
  return (
    <section class="card explain">
      <details open={event !== undefined} onToggle={({ currentTarget }) => open(currentTarget)}>
        <summary ref={summary}>
          <h2>{t('explain.title')}</h2>
        </summary>
        <p class="sub">{t('explain.text')}</p>
        <form
          noValidate
          onSubmit={(submitted) => {
            submitted.preventDefault()
            ask()
          }}
        >
          <Question token={token} draft={draft} problem={problem} onChange={(change) => setDraft({ ...draft, ...change })} />
          <Button submit icon="search">
            {t('explain.ask')}
          </Button>
        </form>
        {asked !== undefined && <Explained id={token.id} version={token.version} {...asked} onProblem={setProblem} />}
      </details>
    </section>
  )
}

function Question(props: {
  readonly token: Token
  readonly draft: Draft
  readonly problem: Problem | undefined
  readonly onChange: (change: Partial<Draft>) => void
}): JSX.Element {
  const { token, draft, problem, onChange } = props
  const { scopes } = useWorld()
  const errors = fieldErrors(problem)
  return (
    <div class="explain-fields">
      <Field label={t('explain.scope')} error={errors.scope}>
        {(ids) => (
          <select {...ids} value={draft.scope} onChange={(event) => onChange({ scope: event.currentTarget.value })}>
            <option value="">{t('explain.noScope')}</option>
            {scopes.items.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <TextField
        mono
        label={t('explain.address')}
        most={100}
        value={draft.ip}
        error={errors.ip}
        cut={cutAddresses}
        onInput={(ip) => onChange({ ip })}
      />
      <TextField
        type="datetime-local"
        label={t('explain.at')}
        hint={t('explain.atHint')}
        value={draft.at}
        error={errors.at}
        onInput={(at) => onChange({ at })}
      />
      {draft.scope !== '' &&
        Object.keys(token.resources ?? {}).map((dimension) => (
          <TextField
            key={dimension}
            label={t('explain.data', { name: dimension })}
            hint={t('explain.dataHint')}
            most={1000}
            value={draft.data[dimension] ?? ''}
            error={errors.resource}
            onInput={(values) => onChange({ data: { ...draft.data, [dimension]: values } })}
          />
        ))}
    </div>
  )
}

function queryOf({ scope, ip, at, data }: Draft, event: AuditEvent | undefined): Query {
  // A field shows whole seconds. If it was not edited, the exact original time is used.
  const exact = event !== undefined && at === localOf(event.at) ? event.at : at
  const resource = Object.entries(data).flatMap(([dimension, values]) => readIds(values).map((value) => `${dimension}=${value}`))
  return {
    scope,
    ip: ip.trim(),
    at: instantOf(exact),
    ...(scope !== '' && resource.length > 0 && { resource }),
  }
}

// The server refuses an invalid time, and the page shows that beside the field.
function instantOf(at: string): string | undefined {
  if (at === '') return undefined
  const date = new Date(at)
  return Number.isNaN(date.getTime()) ? at : date.toISOString()
}

/** Returns the value of a time field: local time, to the second. */
function localOf(at: string): string {
  const date = new Date(at)
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}
