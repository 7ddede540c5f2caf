import type { ComponentChildren, JSX } from 'preact'
import { useState } from 'preact/hooks'
import { t } from '../lib/text.js'
import type { Me, Scopes } from '../lib/types.js'
import { Banner } from '../ui/banner.js'
import { Icon } from '../ui/icons.js'
import { actionOf, type Cell, gridOf, type Row, risky } from './grid.js'

type Props = {
  readonly scopes: Scopes
  readonly me: Me
  readonly chosen: readonly string[]
  /** Scopes that the token already has and may keep. */
  readonly kept: readonly string[]
  readonly error?: ComponentChildren
  readonly onChange: (chosen: readonly string[]) => void
}

/** The catalogue as a grid of resources and actions, with a search and the groups as presets; only scopes that may be granted can be chosen. */
export function ScopePicker({ scopes, me, chosen, kept, error, onChange }: Props): JSX.Element {
  const [search, setSearch] = useState('')
  const { presets, actions, rows, others } = gridOf(scopes, chosen, search.trim().toLowerCase())
  const toggle = (name: string): void => onChange(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name])
  const box = (cell: Cell): JSX.Element => (
    <Box
      cell={cell}
      checked={chosen.includes(cell.name)}
      locked={!me.grantable.includes(cell.name) && !kept.includes(cell.name)}
      onToggle={() => toggle(cell.name)}
    />
  )
  return (
    <fieldset class="scopes">
      <legend>{t('form.scopes')}</legend>
      <div class="scope-head">
        <div class="search">
          <Icon name="search" />
          <input
            type="search"
            placeholder={t('form.scopeSearch')}
            aria-label={t('form.scopeSearch')}
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
            onKeyDown={(event) => event.key === 'Enter' && event.preventDefault()}
          />
        </div>
        <span class="count" role="status">
          {t('form.scopesChosen', { count: chosen.length })}
        </span>
      </div>
      {error && <p class="error">{error}</p>}
      {presets.length > 0 && (
        <div class="presets" role="group" aria-label={t('form.groups')}>
          <span class="sub">{t('form.groups')}</span>
          {presets.map((cell) => (
            <span key={cell.name}>{box(cell)}</span>
          ))}
        </div>
      )}
      {rows.length > 0 && <Grid actions={actions} rows={rows} box={box} />}
      {others.length > 0 && (
        <div class="presets" role="group" aria-label={t('form.general')}>
          {others.map((cell) => (
            <span key={cell.name}>{box(cell)}</span>
          ))}
        </div>
      )}
      {presets.length + rows.length + others.length === 0 && <p class="muted none">{t('form.scopesMatch')}</p>}
      {chosen.length === 0 && <Banner tone="info">{t('form.scopesNone')}</Banner>}
      {chosen.some(risky) && <Banner tone="danger">{t('form.wildcardWarning')}</Banner>}
    </fieldset>
  )
}

function Grid(props: {
  readonly actions: readonly string[]
  readonly rows: readonly Row[]
  readonly box: (cell: Cell) => JSX.Element
}): JSX.Element {
  const { actions, rows, box } = props
  return (
    <div class="grid-frame">
      <table class="grid">
        <thead>
          <tr>
            <th scope="col">{t('form.resource')}</th>
            {actions.map((action) => (
              <th key={action} scope="col" class={action === '*' ? 'risk' : undefined}>
                {headOf(action)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ resource, cells }) => (
            <tr key={resource}>
              <th scope="row">
                <code>{resource}</code>
              </th>
              {actions.map((action) => {
                const cell = cells.get(action)
                return <td key={action}>{cell !== undefined && box(cell)}</td>
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const headOf = (action: string): string => (action === '*' ? t('form.all') : action)

function Box(props: {
  readonly cell: Cell
  readonly checked: boolean
  readonly locked: boolean
  readonly onToggle: () => void
}): JSX.Element {
  const { cell, checked, locked, onToggle } = props
  const { name, description, label } = cell
  const title = [name, description, locked ? t('form.notYours') : ''].filter(Boolean).join(' – ')
  return (
    <label class={`scope ${locked ? 'locked' : ''} ${risky(name) ? 'risk' : ''}`} title={title} data-scope={name}>
      <input type="checkbox" aria-label={`${name} ${description}`} checked={checked} disabled={locked} onChange={onToggle} />
      {label === undefined ? (
        <span class="action" aria-hidden="true">
          {headOf(actionOf(name))}
        </span>
      ) : name === '*' ? (
        label
      ) : (
        <code>{label}</code>
      )}
      {locked && <Icon name="lock" />}
    </label>
  )
}
