import type { JSX } from 'preact'
import { config } from '../lib/config.js'
import { TextField } from '../ui/fields.js'
import { type Draft, metadataOf } from './draft.js'

type Props = { readonly draft: Draft; readonly onChange: (change: Partial<Draft>) => void }

/** The keys of the metadata that the host made fields of. They write into the same object as the field of all metadata. */
export function MetadataFields({ draft, onChange }: Props): JSX.Element | null {
  const fields = config.metadata ?? []
  const known = draft.metadata.trim() === '' ? {} : metadataOf(draft.metadata)
  // What is not an object now is mended there, before anything is written into it.
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
