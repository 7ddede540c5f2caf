import type { JSX } from 'preact'
import { t } from '../lib/text.js'
import { useWorld } from '../lib/world.js'
import { TextField } from '../ui/fields.js'
import type { Draft, Errors } from './draft.js'
import { ScopePicker } from './scopes.js'
import { Life, Reach } from './terms.js'

type Props = {
  readonly draft: Draft
  readonly errors: Errors
  /** The scopes of the token that is edited; absent for a new one. */
  readonly kept?: readonly string[]
  readonly onChange: (draft: Draft) => void
}

/** Everything about a token that people decide, for a new one and for an edit. */
export function TokenForm({ draft, errors, kept, onChange }: Props): JSX.Element {
  const { me, scopes } = useWorld()
  const change = (part: Partial<Draft>): void => onChange({ ...draft, ...part })
  const editing = kept !== undefined
  return (
    <>
      <section class="form-section">
        <h3>{t('form.what')}</h3>
        <TextField
          first
          label={t('form.name')}
          hint={t('form.nameHint')}
          most={200}
          value={draft.name}
          error={errors.name}
          onInput={(name) => change({ name })}
        />
        <TextField
          label={t('form.description')}
          optional
          lines={2}
          most={1000}
          value={draft.description}
          error={errors.description}
          onInput={(description) => change({ description })}
        />
        {!editing && (
          <div class="two">
            {me.tenants === '*' ? (
              <TextField
                label={t('form.client')}
                optional
                hint={t('form.clientEveryHint')}
                most={200}
                value={draft.tenantId}
                error={errors.tenantId}
                onInput={(tenantId) => change({ tenantId })}
              />
            ) : (
              <ClientChoice tenants={me.tenants} value={draft.tenantId} onChange={(tenantId) => change({ tenantId })} />
            )}
            {me.manages === 'all' && (
              <TextField
                label={t('form.owner')}
                optional
                hint={t('form.ownerHint')}
                most={200}
                value={draft.ownerId}
                error={errors.ownerId}
                onInput={(ownerId) => change({ ownerId })}
              />
            )}
          </div>
        )}
      </section>
      <section class="form-section">
        <ScopePicker
          scopes={scopes}
          me={me}
          chosen={draft.scopes}
          kept={kept ?? []}
          error={errors.scopes}
          onChange={(chosen) => change({ scopes: chosen })}
        />
      </section>
      <Life draft={draft} errors={errors} limits={scopes.expiry} editing={editing} onChange={change} />
      <Reach draft={draft} errors={errors} me={me} onChange={change} />
      <section class="form-section">
        <TextField
          label={t('form.metadata')}
          hint={t('form.metadataHint')}
          optional
          mono
          lines={3}
          value={draft.metadata}
          error={errors.metadata}
          onInput={(metadata) => change({ metadata })}
        />
      </section>
    </>
  )
}

function ClientChoice(props: {
  readonly tenants: readonly string[]
  readonly value: string
  readonly onChange: (tenant: string) => void
}): JSX.Element {
  return (
    <div class="field">
      <label for="form-client">{t('form.client')}</label>
      <select id="form-client" value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        {props.tenants.map((tenant) => (
          <option key={tenant} value={tenant}>
            {tenant}
          </option>
        ))}
      </select>
    </div>
  )
}
