import { texts } from '../../texts.js'
import { config } from './config.js'
import { number } from './format.js'

export type Key = keyof typeof texts

/** A text of the page with its blanks filled in. Always plain text: nothing in it is read as HTML. */
export function t(key: Key, blanks: { readonly [name: string]: string | number } = {}): string {
  const one = `${key}.one`
  const form = blanks.count === 1 && one in texts ? (one as Key) : key
  const text: string = config.texts?.[form] ?? texts[form]
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = blanks[name]
    if (value === undefined) return whole
    return typeof value === 'number' ? number(value) : value
  })
}

/** The text of a key that is put together, or the last part of it where there is none. */
export function textOr(key: string, fallback: string): string {
  return key in texts ? t(key as Key) : fallback
}
