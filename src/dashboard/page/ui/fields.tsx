import type { ComponentChildren, JSX } from 'preact'
import { useId } from 'preact/hooks'
import { cutTokens } from '../lib/cut.js'
import { t } from '../lib/text.js'
import { cutTyped } from './cut.js'
import { Options } from './filter.js'

type FieldProps = {
  readonly label: string
  readonly hint?: ComponentChildren
  readonly error?: ComponentChildren
  readonly optional?: boolean
  readonly children: (ids: { id: string; 'aria-describedby': string | undefined; 'aria-invalid': boolean }) => ComponentChildren
}

/** A label, a control, a hint and an error, linked for screen readers. */
export function Field({ label, hint, error, optional, children }: FieldProps): JSX.Element {
  const id = useId()
  const told = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ')
  return (
    <div class={`field ${error ? 'wrong' : ''}`}>
      <label for={id}>
        {label}
        {optional && <span class="optional">{t('form.optional')}</span>}
      </label>
      {children({ id, 'aria-describedby': told === '' ? undefined : told, 'aria-invalid': error !== undefined })}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error && (
        <p class="error" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  )
}

type TextProps = Omit<FieldProps, 'children'> & {
  readonly value: string
  readonly onInput: (value: string) => void
  readonly lines?: number
  readonly mono?: boolean
  readonly first?: boolean
  readonly most?: number
  readonly type?: 'text' | 'date' | 'datetime-local'
  readonly min?: string
  /** Replaces the default removal of secrets, for fields whose values may look like one. */
  readonly cut?: (text: string) => string
  /** The suggested values, with their labels. */
  readonly choices?: readonly (readonly [string, string])[]
}

/** A text field with one or more lines. */
export function TextField(props: TextProps): JSX.Element {
  const { value, onInput, lines, mono, first, most, type = 'text', min, cut, choices, ...field } = props
  // A suggested ID is not secret, even if it looks like one.
  const cutOthers = (text: string): string => (choices?.some(([id]) => id === text) ? text : cutTokens(text, value))
  const shared = {
    value,
    maxLength: most,
    class: mono ? 'mono' : undefined,
    dir: mono ? ('ltr' as const) : ('auto' as const),
    autoComplete: 'off',
    spellcheck: false,
    'data-first': first ? '' : undefined,
    onInput: ({ currentTarget }: { currentTarget: HTMLInputElement | HTMLTextAreaElement }) =>
      onInput(cutTyped(currentTarget, cut ?? cutOthers)),
  }
  return (
    <Field {...field}>
      {(ids) =>
        lines === undefined ? (
          <>
            <input {...ids} {...shared} type={type} min={min} list={choices ? `${ids.id}-list` : undefined} />
            {choices && <Options id={`${ids.id}-list`} options={choices} />}
          </>
        ) : (
          <textarea {...ids} {...shared} rows={lines} />
        )
      }
    </Field>
  )
}

/** A choice of a few options, shown as pills. */
export function Pills<V extends string>(props: {
  readonly legend: string
  readonly value: V
  readonly options: readonly { readonly value: V; readonly label: string; readonly disabled?: boolean }[]
  readonly onChange: (value: V) => void
  readonly hint?: string | undefined
  readonly error?: ComponentChildren
  /** Whether a dialog gives it the focus when it opens. */
  readonly first?: boolean
}): JSX.Element {
  const name = useId()
  return (
    <fieldset class="pills">
      <legend>{props.legend}</legend>
      <div>
        {props.options.map(({ value, label, disabled }) => (
          <label key={value} class={`pill ${value === props.value ? 'on' : ''}`}>
            <input
              type="radio"
              name={name}
              value={value}
              checked={value === props.value}
              disabled={disabled}
              data-first={props.first && value === props.value ? '' : undefined}
              data-wrong={props.error !== undefined && value === props.value ? '' : undefined}
              onChange={() => props.onChange(value)}
            />
            {label}
          </label>
        ))}
      </div>
      {props.hint && <p class="hint">{props.hint}</p>}
      {props.error && <p class="error">{props.error}</p>}
    </fieldset>
  )
}
