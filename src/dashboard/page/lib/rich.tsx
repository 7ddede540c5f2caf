import type { ComponentChild, JSX } from 'preact'
import { number } from './format.js'
import { type Key, pattern } from './text.js'

type Props = { readonly k: Key; readonly count?: number; readonly [blank: string]: ComponentChild }

/** A text with isolated placeholders, so that right-to-left names do not reorder the sentence around them. */
export function Rich({ k, ...blanks }: Props): JSX.Element {
  const parts = pattern(k, blanks.count === undefined ? {} : { count: blanks.count }).split(/\{(\w+)\}/)
  return (
    <>
      {parts.map((part, index) => {
        if (index % 2 === 0) return part
        const value = blanks[part]
        if (typeof value === 'number') return number(value)
        return typeof value === 'string' ? <bdi key={part}>{value}</bdi> : (value ?? `{${part}}`)
      })}
    </>
  )
}
