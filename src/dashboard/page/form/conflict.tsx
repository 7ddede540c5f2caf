import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Value } from '../detail/value.js'
import type { Problem } from '../lib/problem.js'
import { Rich } from '../lib/rich.js'
import { fieldName, t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { Banner } from '../ui/banner.js'
import { Button } from '../ui/button.js'
import { Dialog } from '../ui/dialog.js'
import { ProblemLine } from '../ui/problem.js'
import { Ago } from '../ui/time.js'
import { User } from '../ui/who.js'
import { type Changes, type Difference, differencesOf } from './differences.js'

/** The token as someone else saved it, and who that was, if known. */
export type Theirs = { readonly token: Token; readonly by: string | undefined }

type Props = {
  /** The token when editing began. */
  readonly before: Token
  readonly theirs: Theirs
  readonly mine: Changes
  readonly busy: boolean
  readonly problem: Problem | undefined
  readonly onSave: (changes: Changes) => void
  /** Leaves without saving, after the user agreed to lose unsaved changes. */
  readonly onLeave: () => void
  readonly onDiscard: () => void
}

/**
 * Shows someone else's changes beside the user's own, field by field. Fields that only the other person changed are always kept. Where both
 * changed a field, the user chooses. A revoked token cannot be changed.
 */
export function Conflict({ before, theirs, mine, busy, problem, onSave, onLeave, onDiscard }: Props): JSX.Element {
  const [given, setGiven] = useState<ReadonlySet<string>>(new Set())
  const { token, by } = theirs
  const over = token.revokedAt
  const rows = differencesOf(before, token, mine)
  const kept = Object.fromEntries(Object.entries(mine).filter(([field]) => !given.has(field)))
  const choose = (field: string, theirsToo: boolean): void => {
    const next = new Set(given)
    if (theirsToo) next.add(field)
    else next.delete(field)
    setGiven(next)
  }
  return (
    <Dialog
      title={t('conflict.title')}
      size="large"
      onClose={over === undefined ? onLeave : onDiscard}
      footer={
        <>
          <Button onClick={onDiscard}>{t(over === undefined ? 'conflict.takeTheirs' : 'action.close')}</Button>
          {over === undefined && (
            <Button kind="primary" busy={busy} disabled={Object.keys(kept).length === 0} onClick={() => onSave(kept)}>
              {t('conflict.save')}
            </Button>
          )}
        </>
      }
    >
      {over === undefined ? (
        <Banner tone="warn">
          <p>
            {by === undefined ? (
              <Rich k="conflict.when" time={<Ago at={token.updatedAt} />} />
            ) : (
              <Rich k="conflict.by" time={<Ago at={token.updatedAt} />} name={<User id={by} />} />
            )}
          </p>
          <p>{t(rows.some(({ both }) => both) ? 'conflict.choose' : 'conflict.text')}</p>
        </Banner>
      ) : (
        <Banner tone="danger" icon="ban">
          <p>
            <Rich k="conflict.revoked" time={<Ago at={over} />} name={<User id={token.revokedBy ?? ''} />} />
          </p>
          <p>{t('conflict.copyMine')}</p>
        </Banner>
      )}
      <table class="diff conflict">
        <thead>
          <tr>
            <th scope="col">{t('conflict.field')}</th>
            <th scope="col">{t('conflict.before')}</th>
            <th scope="col">{t('conflict.theirs')}</th>
            <th scope="col">{t('conflict.mine')}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row
              key={row.field}
              row={row}
              chosen={over !== undefined ? undefined : given.has(row.field) ? 'theirs' : 'mine'}
              onChoose={(side) => choose(row.field, side === 'theirs')}
            />
          ))}
        </tbody>
      </table>
      <ProblemLine problem={problem} />
    </Dialog>
  )
}

type Side = 'theirs' | 'mine'

function Row(props: { readonly row: Difference; readonly chosen: Side | undefined; readonly onChoose: (side: Side) => void }): JSX.Element {
  const { row, chosen, onChoose } = props
  const { field, before, theirs, mine, both } = row
  const cell = (side: Side, value: unknown): JSX.Element => {
    const text = <Value value={value} field={field} />
    if (!both || chosen === undefined) return text
    return (
      <label class="choice">
        <input type="radio" name={`conflict-${field}`} checked={chosen === side} onChange={() => onChoose(side)} />
        {text}
      </label>
    )
  }
  return (
    <tr class={both ? 'both' : undefined}>
      <th scope="row">{fieldName(field)}</th>
      <td data-label={t('conflict.before')}>
        <Value value={before} field={field} />
      </td>
      <td data-label={t('conflict.theirs')}>
        {row.changedThere ? cell('theirs', theirs) : <span class="muted">{t('conflict.unchanged')}</span>}
      </td>
      <td data-label={t('conflict.mine')}>{row.changedHere ? cell('mine', mine) : <span class="muted">{t('conflict.unchanged')}</span>}</td>
    </tr>
  )
}
