import * as z from 'zod'
import { InvalidInputError } from '../errors.js'
import { quote } from '../policy/quote.js'
import { readShape } from '../policy/shape.js'
import { isColour } from './colour.js'
import { hasTexts } from './texts/languages.js'
import { type DashboardTexts, textKeys } from './texts.js'

/** Parts with a configurable color. */
export type ColorName = 'page' | 'surface' | 'sunken' | 'line' | 'text' | 'muted' | 'good' | 'warn' | 'bad'

/** `#rrggbb`, or one for each theme. */
export type Color = string | { readonly light: string; readonly dark: string }

/** The options of the page. All of them are optional. */
export type DashboardOptions = {
  /** The title next to the logo. @default 'API tokens' */
  readonly title?: string | undefined
  /** A path on the host, such as `/logo.svg`, or a `data:image/…` URL. */
  readonly logo?: string | undefined
  /** `#rrggbb`, for buttons, links and icons; it is lightened or darkened if it would be illegible. */
  readonly accent?: string | undefined
  /** @default 'auto', which follows the reader's system setting */
  readonly theme?: 'auto' | 'light' | 'dark' | undefined
  /** A language tag for dates and numbers. @default the reader's locale */
  readonly locale?: string | undefined
  /** The language of the texts: English, German (`de`) and Arabic (`ar`) come with the page. @default 'en' */
  readonly language?: string | undefined
  /** The font of the page, as in CSS: `Inter, sans-serif`. The page does not load it. */
  readonly font?: string | undefined
  /** The corner radius of cards and buttons: `0`, `4px`, `0.5rem`. @default '0.625rem' */
  readonly radius?: string | undefined
  /** Colors that replace the page's own: `#rrggbb`, or one for each theme. You are responsible for the contrast. */
  readonly colors?: { readonly [name in ColorName]?: Color | undefined } | undefined
  /** The link to a person's page: a path on this host or an `https:` URL with `{id}`, such as `/users/{id}`. */
  readonly userUrl?: string | undefined
  /** The link to a tenant's page, such as `/companies/{id}`. */
  readonly clientUrl?: string | undefined
  /** Your own word for tenants, for the page: `{ one: 'Client', many: 'Clients' }`. @default { one: 'Tenant', many: 'Tenants' } */
  readonly clientName?: { readonly one: string; readonly many: string } | undefined
  /** A link back to your application, in the top bar. */
  readonly back?: { readonly url: string; readonly text: string } | undefined
  /** Keys of `metadata` to show as form fields, on a token's page, and as optional columns. */
  readonly metadata?: readonly { readonly key: string; readonly label: string }[] | undefined
  /** Origins that may embed the page in a frame, such as `https://app.example.com`, or `'self'`. @default none */
  readonly frameAncestors?: readonly string[] | undefined
  /** Texts that replace those of the language, by key. */
  readonly texts?: DashboardTexts | undefined
  /** The path of your sign-in page. It is offered to people who are not signed in. */
  readonly signIn?: string | undefined
  /** The URL that the snippets of a new token call. @default the host's origin */
  readonly exampleUrl?: string | undefined
  /** The HTTP method that the snippets use. @default 'GET' */
  readonly exampleMethod?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | undefined
  /** The JSON body that the snippets send. */
  readonly exampleBody?: { readonly [key: string]: unknown } | undefined
  /** The variable name in the `.env` line of a new token. @default 'API_TOKEN' */
  readonly envName?: string | undefined
}

/** The options as the page reads them. */
export type DashboardSettings = DashboardOptions & { readonly theme: 'auto' | 'light' | 'dark'; readonly language: string }

const text = z.string({ error: 'must be a string' }).max(200, { error: 'must be at most 200 characters' })
// Exactly one slash, because two would lead to another host.
const path = text.regex(/^\/(?![/\\])[^\s"'<>]*$/, { error: 'must be a path on this host, such as /sign-in' })
const tag = text.refine(isLanguage, { error: 'must be a language tag, such as de or pt-BR' })

const color = text.refine(isColour, { error: 'must be a color such as #3550d6' })
const colors = z.union([color, z.strictObject({ light: color, dark: color })], {
  error: 'must be a color such as #3550d6, or { light, dark }',
})
const label = text.min(1, { error: 'must not be empty' })
const place = text
  .regex(/^(?:\/(?![/\\])|https:\/\/)[^\s"'<>\\]*$/, { error: 'must be a path on this host or an https: URL' })
  .refine((url) => url.startsWith('/') || URL.canParse(url.replaceAll('{id}', 'id')), {
    error: 'must be a path on this host or an https: URL',
  })
const template = place.refine((url) => url.includes('{id}'), { error: 'must contain {id}, as in /users/{id}' })
const ancestor = text.refine(isAncestor, { error: "must be an origin, such as https://app.example.com, or 'self'" })

const schema = z.strictObject({
  title: text.optional(),
  logo: z
    .string({ error: 'must be a string' })
    .max(100_000, { error: 'must be at most 100,000 characters' })
    .regex(/^(?:\/(?![/\\])|data:image\/(?:svg\+xml|png|webp|jpeg)[;,])[^\s"'<>]*$/, {
      error: 'must be a path on this host, or a data:image/ URL that is percent- or base64-encoded',
    })
    .optional(),
  accent: text.refine(isColour, { error: 'must be a color such as #3550d6' }).optional(),
  theme: z.enum(['auto', 'light', 'dark'], { error: "must be 'auto', 'light' or 'dark'" }).default('auto'),
  font: text.regex(/^[\w\s,'"-]+$/, { error: 'must be names of fonts, such as Inter, sans-serif' }).optional(),
  radius: text.regex(/^(?:0|\d{1,2}(?:\.\d{1,4})?(?:px|rem|em))$/, { error: 'must be a length such as 4px or 0.5rem' }).optional(),
  colors: z
    .strictObject({
      page: colors.optional(),
      surface: colors.optional(),
      sunken: colors.optional(),
      line: colors.optional(),
      text: colors.optional(),
      muted: colors.optional(),
      good: colors.optional(),
      warn: colors.optional(),
      bad: colors.optional(),
    })
    .optional(),
  userUrl: template.optional(),
  clientUrl: template.optional(),
  clientName: z.strictObject({ one: label, many: label }).optional(),
  back: z.strictObject({ url: place, text: label }).optional(),
  metadata: z
    .array(z.strictObject({ key: label, label }), { error: 'must be a list of { key, label }' })
    .max(20, { error: 'must have at most 20 entries' })
    .optional(),
  frameAncestors: z.array(ancestor, { error: 'must be a list of origins' }).max(20, { error: 'must have at most 20 entries' }).optional(),
  locale: tag.optional(),
  language: tag.default('en'),
  texts: z.record(z.string(), z.string({ error: 'must be a string' }).max(2000).optional()).optional(),
  signIn: path.optional(),
  exampleUrl: text.regex(/^https?:\/\/[^\s"'<>\\]+$/, { error: 'must be a URL, such as https://api.example.com/stock' }).optional(),
  exampleMethod: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], { error: 'must be GET, POST, PUT, PATCH or DELETE' }).optional(),
  exampleBody: z.record(z.string(), z.json()).optional(),
  envName: text.regex(/^[A-Z_][A-Z0-9_]*$/, { error: 'must be the name of a variable, such as ACME_TOKEN' }).optional(),
})

/**
 * Checks and completes the options of the page.
 *
 * @throws InvalidInputError `invalid_input`, with the option as `field`
 */
export function readDashboardOptions(options: unknown): DashboardSettings {
  const given = readShape(schema, options, 'dashboard')
  if (given.texts === undefined && !hasTexts(given.language)) {
    throw new InvalidInputError('language', `the page has no texts in ${quote(given.language)}: pass them as texts, or use en, de or ar`)
  }
  readShape(z.strictObject(Object.fromEntries(textKeys.map((key) => [key, z.string().optional()]))), given.texts ?? {}, 'texts')
  return Object.freeze(given)
}

function isAncestor(value: string): boolean {
  return value === 'self' || (URL.canParse(value) && new URL(value).origin === value && /^https?:/.test(value))
}

function isLanguage(value: string): boolean {
  try {
    return Intl.getCanonicalLocales(value).length === 1
  } catch {
    return false
  }
}
