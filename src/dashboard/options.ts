import * as z from 'zod'
import { readShape } from '../policy/shape.js'
import { isColour } from './colour.js'
import { type DashboardTexts, textKeys } from './texts.js'

/** The options of the page. All of them are optional, and none holds data. */
export type DashboardOptions = {
  /** Beside the logo. @default 'API tokens' */
  readonly title?: string | undefined
  /** A path on the host, such as `/logo.svg`, or a `data:image/…` URL. */
  readonly logo?: string | undefined
  /** `#rrggbb`, for buttons, links and pictures; it is lightened or darkened where it could not be read. */
  readonly accent?: string | undefined
  /** @default 'auto', as the reader's system is set */
  readonly theme?: 'auto' | 'light' | 'dark' | undefined
  /** A language tag for dates and numbers. @default the reader's */
  readonly locale?: string | undefined
  /** The language of the texts. @default 'en' */
  readonly language?: string | undefined
  /** Texts to use in place of the English ones, by key. */
  readonly texts?: DashboardTexts | undefined
  /** Where people sign in: a path on the host. It is offered to those who are not signed in. */
  readonly signIn?: string | undefined
  /** What the `curl` line of a new token calls. @default the host's origin */
  readonly exampleUrl?: string | undefined
  /** How the `.env` line of a new token is called. @default 'API_TOKEN' */
  readonly envName?: string | undefined
}

/** The options as the page's parts read them. */
export type DashboardSettings = DashboardOptions & { readonly theme: 'auto' | 'light' | 'dark'; readonly language: string }

const text = z.string({ error: 'must be a string' }).max(200, { error: 'must be at most 200 characters' })
// One slash: two would lead to another host.
const path = text.regex(/^\/(?![/\\])[^\s"'<>]*$/, { error: 'must be a path on this host, such as /sign-in' })
const tag = text.refine(isLanguage, { error: 'must be a language tag, such as de or pt-BR' })

const schema = z.strictObject({
  title: text.optional(),
  logo: z
    .string({ error: 'must be a string' })
    .max(100_000, { error: 'must be at most 100,000 characters' })
    .regex(/^(?:\/(?![/\\])|data:image\/(?:svg\+xml|png|webp|jpeg)[;,])[^\s"'<>]*$/, {
      error: 'must be a path on this host, or a data:image/ URL that is percent- or base64-encoded',
    })
    .optional(),
  accent: text.refine(isColour, { error: 'must be a colour such as #3550d6' }).optional(),
  theme: z.enum(['auto', 'light', 'dark'], { error: "must be 'auto', 'light' or 'dark'" }).default('auto'),
  locale: tag.optional(),
  language: tag.default('en'),
  texts: z.record(z.string(), z.string({ error: 'must be a string' }).max(2000).optional()).optional(),
  signIn: path.optional(),
  exampleUrl: text.regex(/^https?:\/\/[^\s"'<>\\]+$/, { error: 'must be a URL, such as https://api.example.com/stock' }).optional(),
  envName: text.regex(/^[A-Z_][A-Z0-9_]*$/, { error: 'must be the name of a variable, such as ACME_TOKEN' }).optional(),
})

/**
 * Checks and completes the options of the page.
 *
 * @throws InvalidInputError `invalid_input`, with the option as `field`
 */
export function readDashboardOptions(options: unknown): DashboardSettings {
  const given = readShape(schema, options, 'dashboard')
  readShape(z.strictObject(Object.fromEntries(textKeys.map((key) => [key, z.string().optional()]))), given.texts ?? {}, 'texts')
  return Object.freeze(given)
}

function isLanguage(value: string): boolean {
  try {
    return Intl.getCanonicalLocales(value).length === 1
  } catch {
    return false
  }
}
