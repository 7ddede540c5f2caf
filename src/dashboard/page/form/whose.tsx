import type { ComponentChildren, JSX } from 'preact'
import { useChoices, useNames } from '../lib/names.js'
import { t } from '../lib/text.js'
import type { Me } from '../lib/types.js'
import { Banner } from '../ui/banner.js'
import { Field, Pills, TextField } from '../ui/fields.js'
import { suggestionHint } from '../ui/problem.js'
import type { Draft, Errors } from './draft.js'

type Props = {
  readonly draft: Draft
  readonly errors: Errors
  readonly me: Me
  readonly onChange: (change: Partial<Draft>) => void
}

/** Whose token it is: the tenant and the owner. A token for all tenants is an explicit choice. */
export function Whose({ draft, errors, me, onChange }: Props): JSX.Element {
  const { tenants } = useNames()
  const clients = useChoices('tenants', draft.tenantId)
  const owners = useChoices('owners', draft.ownerId, draft.reach === 'one' ? draft.tenantId : '')
  return (
    <>
      {me.tenants === '*' && (
        <Pills
          legend={t('form.client')}
          value={draft.reach}
          options={[
            { value: 'one', label: t('form.clientOne') },
            { value: 'every', label: t('form.clientEvery') },
          ]}
          onChange={(reach) => onChange({ reach })}
        />
      )}
      {draft.reach === 'every' && <Banner tone="warn">{t('form.clientEveryWarning')}</Banner>}
      <div class="two">
        {draft.reach === 'one' && (
          <Pick
            label={t('form.client')}
            value={draft.tenantId}
            choices={tenants === undefined && me.tenants !== '*' ? me.tenants.map((id) => [id, id] as const) : clients.choices}
            hint={suggestionHint(clients.problem)}
            open={tenants?.nextCursor !== undefined || (me.tenants === '*' && tenants?.named !== true)}
            error={errors.tenantId}
            onChange={(tenantId) => onChange({ tenantId })}
          />
        )}
        {me.manages === 'all' && (
          <Pick
            label={t('form.owner')}
            hint={suggestionHint(owners.problem, t('form.ownerHint'))}
            value={draft.ownerId}
            choices={owners.choices}
            open
            optional={!draft.inherit}
            error={errors.ownerId}
            onChange={(ownerId) => onChange({ ownerId })}
          />
        )}
      </div>
    </>
  )
}

/** A choice of known IDs, or, if others are possible (`open`), a text field that suggests the known ones. */
function Pick(props: {
  readonly label: string
  readonly hint?: ComponentChildren
  readonly value: string
  readonly choices: readonly (readonly [string, string])[]
  readonly open: boolean
  readonly optional?: boolean
  readonly error: Errors[string]
  readonly onChange: (value: string) => void
}): JSX.Element {
  const { label, hint, value, choices, open, optional, error, onChange } = props
  if (open) {
    return (
      <TextField
        label={label}
        hint={hint}
        {...(optional && { optional })}
        most={200}
        value={value}
        error={error}
        choices={choices}
        onInput={onChange}
      />
    )
  }
  return (
    <Field label={label} hint={hint} error={error}>
      {(ids) => (
        <select {...ids} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          {!choices.some(([id]) => id === value) && <option value={value}>{value || t('form.choose')}</option>}
          {choices.map(([id, text]) => (
            <option key={id} value={id}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}
