import type { JSX } from 'preact'
import { useId } from 'preact/hooks'
import { cutAddresses, cutTokens } from '../lib/cut.js'
import { duration } from '../lib/format.js'
import { Rich } from '../lib/rich.js'
import { t } from '../lib/text.js'
import type { Me } from '../lib/types.js'
import { Banner } from '../ui/banner.js'
import { Button } from '../ui/button.js'
import { cutTyped } from '../ui/cut.js'
import { Pills, TextField } from '../ui/fields.js'
import { Icon } from '../ui/icons.js'
import { type Draft, type Errors, expiryDays, isNameless, type Limits, mayLiveForever } from './draft.js'

type Props = { readonly draft: Draft; readonly errors: Errors; readonly onChange: (change: Partial<Draft>) => void }

const REMINDERS = ['30', '60', '90', '180'] as const

/** How long a token lives. */
export function Life({
  draft,
  errors,
  onChange,
  limits,
  editing,
}: Props & { readonly limits: Limits; readonly editing: boolean }): JSX.Element {
  const options = [
    ...(editing ? [{ value: 'keep', label: t('form.keep') }] : []),
    ...expiryDays(limits).map((days) => ({ value: String(days), label: days === 365 ? t('form.year') : t('form.days', { count: days }) })),
    { value: 'custom', label: t('form.custom') },
    ...(mayLiveForever(limits) ? [{ value: 'never', label: t('form.never') }] : []),
  ]
  const known = draft.reminder === '' || REMINDERS.some((days) => days === draft.reminder)
  return (
    <section class="form-section">
      <h3>{t('form.life')}</h3>
      <Pills
        legend={t('form.expires')}
        value={draft.expiry}
        options={options}
        onChange={(expiry) => onChange({ expiry })}
        hint={limits.maxSeconds === undefined ? undefined : t('form.max', { time: duration(limits.maxSeconds) })}
        error={draft.expiry === 'custom' ? undefined : (errors.expiresAt ?? errors.expiresIn)}
      />
      {draft.expiry === 'custom' && (
        <TextField
          label={t('form.day')}
          type="date"
          min={today()}
          value={draft.day}
          error={errors.expiresAt}
          onInput={(day) => onChange({ day })}
        />
      )}
      {draft.expiry === 'never' && <Banner tone="warn">{t('form.neverWarning')}</Banner>}
      <Pills
        legend={t('form.reminder')}
        value={draft.reminder}
        options={[
          { value: '', label: t('form.noReminder') },
          ...REMINDERS.map((days) => ({ value: days, label: t('form.every', { count: Number(days) }) })),
          ...(known ? [] : [{ value: draft.reminder, label: duration(Number(draft.reminder) * 86_400) }]),
        ]}
        onChange={(reminder) => onChange({ reminder })}
        error={errors.rotateEvery}
      />
    </section>
  )
}

/** Where a token works: resources and addresses. */
export function Reach({ draft, errors, onChange, me }: Props & { readonly me: Me }): JSX.Element {
  const { resources } = draft
  const setRow = (index: number, change: Partial<Draft['resources'][number]>): void =>
    onChange({ resources: resources.map((row, at) => (at === index ? { ...row, ...change } : row)) })
  const mine = me.ip
  const wrong = useId()
  return (
    <section class="form-section">
      <h3>{t('form.where')}</h3>
      <fieldset class="resources">
        <legend>{t('form.resources')}</legend>
        <p class="hint">{t('form.resourcesHint')}</p>
        {resources.map((row, index) => (
          <div class="resource-row" key={index}>
            <input
              aria-label={t('form.dimension')}
              placeholder={t('form.dimension')}
              aria-invalid={errors.resources !== undefined && isNameless(row)}
              aria-describedby={errors.resources === undefined ? undefined : wrong}
              value={row.dimension}
              onInput={(event) => setRow(index, { dimension: cutTyped(event.currentTarget) })}
            />
            <input
              aria-label={t('form.values')}
              placeholder={t('form.values')}
              value={row.values}
              onInput={(event) => setRow(index, { values: cutTyped(event.currentTarget, (typed) => cutTokens(typed, row.values)) })}
            />
            <button
              type="button"
              class="icon-button"
              aria-label={t('action.remove')}
              onClick={() => onChange({ resources: resources.filter((_, at) => at !== index) })}
            >
              <Icon name="close" />
            </button>
          </div>
        ))}
        {errors.resources && (
          <p class="error" id={wrong}>
            {errors.resources}
          </p>
        )}
        <Button kind="quiet" icon="plus" onClick={() => onChange({ resources: [...resources, { dimension: '', values: '' }] })}>
          {t('form.addResource')}
        </Button>
      </fieldset>
      <TextField
        label={t('form.addresses')}
        hint={t('form.addressesHint')}
        optional
        mono
        lines={2}
        cut={cutAddresses}
        value={draft.addresses}
        error={errors.allowedIps}
        onInput={(addresses) => onChange({ addresses })}
      />
      {mine !== undefined && !draft.addresses.split(/[\s,]+/).includes(mine) && (
        <Button kind="quiet" icon="plus" onClick={() => onChange({ addresses: [draft.addresses.trim(), mine].filter(Boolean).join('\n') })}>
          <Rich k="form.useMine" ip={mine} />
        </Button>
      )}
    </section>
  )
}

function today(): string {
  const now = new Date()
  return [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((part) => String(part).padStart(2, '0')).join('-')
}
