import type { JSX } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { cutTokens } from '../lib/cut.js'
import { whenPaused } from '../lib/typing.js'
import { cutTyped } from './cut.js'

/** A choice of a few options. */
export function Choice(props: {
  readonly label: string
  readonly value: string
  readonly options: readonly (readonly [string, string])[]
  readonly onChange: (value: string) => void
}): JSX.Element {
  return (
    <select aria-label={props.label} value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
      {props.options.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  )
}

/** A text field that passes its value on when typing pauses. */
export function Debounced(props: {
  readonly label: string
  readonly value: string
  readonly onChange: (value: string) => void
  readonly options?: readonly (readonly [string, string])[]
  readonly inputRef?: { current: HTMLInputElement | null }
}): JSX.Element {
  const [text, setText] = useState(props.value)
  const id = useId()
  const stop = useRef(() => {})
  // Other filters may have changed by the time the pause is over.
  const latest = useRef(props)
  latest.current = props
  useEffect(() => setText(props.value), [props.value])
  useEffect(() => () => stop.current(), [])
  const change = (value: string): void => {
    setText(value)
    stop.current()
    stop.current = whenPaused(
      () => latest.current.onChange(value),
      () => setText(latest.current.value),
    )
  }
  // A suggested ID is not secret, even if it looks like one.
  const cut = (typed: string): string => (props.options?.some(([id]) => id === typed) ? typed : cutTokens(typed, text))
  const input = (
    <input
      ref={props.inputRef ?? null}
      type="search"
      autoComplete="off"
      spellcheck={false}
      maxLength={200}
      list={props.options === undefined ? undefined : id}
      placeholder={props.label}
      aria-label={props.label}
      value={text}
      onInput={(event) => change(cutTyped(event.currentTarget, cut))}
    />
  )
  if (props.options === undefined) return input
  return (
    <>
      {input}
      <Options id={id} options={props.options} />
    </>
  )
}

/** An option of a field. */
export function Options({ id, options }: { readonly id: string; readonly options: readonly (readonly [string, string])[] }): JSX.Element {
  return (
    <datalist id={id}>
      {options.map(([value, text]) => (
        <option key={value} value={value} label={text} />
      ))}
    </datalist>
  )
}
