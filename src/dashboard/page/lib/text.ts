import { type TextKey, texts } from '../../texts.js'
import { config } from './config.js'
import { number } from './format.js'

export type Key = TextKey

/** Values for the placeholders of a text. `count` also chooses the plural form. */
export type Blanks = { readonly [name: string]: string | number }

const plurals = new Intl.PluralRules(config.language)
const english: { readonly [key: string]: string } = texts

/** The host's word for tenants. Within a sentence, it is lowercased in languages that do this with nouns. */
const nouns: { readonly [blank: string]: string } = nounsOf(
  config.clientName?.one ?? config.texts?.['word.client'] ?? texts['word.client'],
  config.clientName?.many ?? config.texts?.['word.clients'] ?? texts['word.clients'],
)

function nounsOf(one: string, many: string): { readonly [blank: string]: string } {
  const lower = (word: string): string => (config.language.startsWith('de') ? word : `${word.slice(0, 1).toLowerCase()}${word.slice(1)}`)
  return { Client: one, Clients: many, client: lower(one), clients: lower(many) }
}

/** Returns a text of the page with its placeholders filled in. Always plain text, never HTML. */
export function t(key: Key, blanks: Blanks = {}): string {
  return pattern(key, blanks).replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = blanks[name]
    if (value === undefined) return whole
    return typeof value === 'number' ? number(value) : value
  })
}

/** Returns the text before its placeholders are filled in. Prefers the language's own plural forms to those of English. */
export function pattern(key: Key, { count }: Blanks): string {
  const form = typeof count === 'number' ? `${key}.${plurals.select(count)}` : key
  // Most languages have no plural form for zero, but some texts need one.
  const none = count === 0 ? `${key}.zero` : form
  const text = config.texts?.[none] ?? config.texts?.[form] ?? config.texts?.[key] ?? english[none] ?? english[form] ?? texts[key]
  return text.replace(/\{([Cc]lients?)\}/g, (whole, noun: string) => nouns[noun] ?? whole)
}

/** Returns whether a text exists for a computed key. */
export const hasText = (key: string): key is Key => key in texts

/** Returns the text of a computed key, or a fallback if there is none. */
export function textOr(key: string, fallback: string): string {
  return hasText(key) ? t(key) : (config.texts?.[key] ?? fallback)
}

/** Returns the name of a token's field in the language of the page. */
export const fieldName = (field: string): string => textOr(`field.${field}`, field)
