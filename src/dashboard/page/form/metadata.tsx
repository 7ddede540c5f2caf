import type { JSX } from 'preact'
import { config } from '../lib/config.js'
import { TextField } from '../ui/fields.js'
import { type Draft, metadataOf } from './draft.js'

type Props = { readonly draft: Draft; readonly onChange: (change: Partial<Draft>) => void }

/** Metadata keys that the host's options turn into fields. They edit the same object as the metadata field. */
export function MetadataFields({ draft, onChange }: Props): JSX.Element | null {
  const fields = config.metadata ?? []
  const known = draft.metadata.trim() === '' ? {} : metadataOf(draft.metadata)
  // Invalid JSON must be fixed in the metadata field before these fields can be edited.
  if (fields.length === 0 || known === undefined) return null
  const write = (key: string, value: string): void => {
    const { [key]: _, ...rest } = known as { readonly [key: string]: unknown }
    const next = value === '' ? rest : { ...rest, [key]: value }
    onChange({ metadata: Object.keys(next).length === 0 ? '' : JSON.stringify(next, null, 2) })
  }
  return (
    <div class="two">
      {fields.map(({ key, label }) => (
        <TextField key={key} label={label} optional value={textIn(known, key)} onInput={(value) => write(key, value)} />
      ))}
    </div>
  )
}

function textIn(known: object, key: string): string {
  const value: unknown = Object.hasOwn(known, key) ? Reflect.get(known, key) : undefined
  return value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)
}
