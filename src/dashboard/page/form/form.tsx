import type { JSX } from 'preact'
import { t } from '../lib/text.js'
import { useWorld } from '../lib/world.js'
import { Pills, TextField } from '../ui/fields.js'
import { ScopeChange } from './change.js'
import type { Draft, Errors } from './draft.js'
import { MetadataFields } from './metadata.js'
import { ScopePicker } from './scopes.js'
import { Life, Reach } from './terms.js'
import { Whose } from './whose.js'

type Props = {
  readonly draft: Draft
  readonly errors: Errors
  /** The scopes of the token that is edited; absent for a new one. */
  readonly kept?: readonly string[]
  readonly onChange: (draft: Draft) => void
}

/** All fields of a token that users can set, for creating and editing. */
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
        {!editing && <Whose draft={draft} errors={errors} me={me} onChange={change} />}
      </section>
      <section class="form-section">
        {scopes.inherit && !editing && (
          <Pills
            legend={t('form.permissions')}
            value={draft.inherit ? 'owner' : 'scopes'}
            options={[
              { value: 'scopes', label: t('form.chosenScopes') },
              { value: 'owner', label: t('form.ownersScopes') },
            ]}
            hint={draft.inherit ? t('form.inheritHint') : undefined}
            onChange={(value) => change({ inherit: value === 'owner' })}
          />
        )}
        {draft.inherit && editing && <p class="muted">{t('form.inheritHint')}</p>}
        {!draft.inherit && (
          <ScopePicker
            scopes={scopes}
            me={me}
            chosen={draft.scopes}
            kept={kept ?? []}
            error={errors.scopes}
            onChange={(chosen) => change({ scopes: chosen })}
          />
        )}
        {kept !== undefined && !draft.inherit && <ScopeChange before={kept} after={draft.scopes} />}
      </section>
      <Life draft={draft} errors={errors} limits={scopes.expiry} editing={editing} onChange={change} />
      <Reach draft={draft} errors={errors} me={me} onChange={change} />
      <section class="form-section">
        <MetadataFields draft={draft} onChange={change} />
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
