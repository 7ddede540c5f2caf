import { acts } from './texts/en/acts.js'
import { app } from './texts/en/app.js'
import { detail } from './texts/en/detail.js'
import { explain } from './texts/en/explain.js'
import { form } from './texts/en/form.js'
import { list } from './texts/en/list.js'

type Texts = typeof app & typeof list & typeof detail & typeof explain & typeof form & typeof acts

/** Every text of the page, in English. `{words}` in braces are filled in; a key that ends in `.one` is for a count of one. */
export const texts: Texts = { ...app, ...list, ...detail, ...explain, ...form, ...acts }

type Form = 'zero' | 'one' | 'two' | 'few' | 'many'

/** The key of a text, without its plural forms. */
export type TextKey = Exclude<keyof Texts, `${string}.${Form}`>

/** The texts that a translation may replace, by key. Texts with a count also have the keys `key.one`, `key.few` and so on. */
export type DashboardTexts = { readonly [key in TextKey | `${TextKey}.${Form}`]?: string | undefined }

/** Every key that a translation may use. */
export const textKeys: readonly string[] = Object.keys(texts).flatMap((key) => [
  key,
  ...['zero', 'one', 'two', 'few', 'many'].filter(() => texts[key as TextKey].includes('{count}')).map((form) => `${key}.${form}`),
])
