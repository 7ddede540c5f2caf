import { config } from './config.js'

/** The locale of dates and numbers: the language of the texts, in the user's own variant if that is the same language. */
const locale = config.locale ?? navigator.languages.find((tag) => tag.split('-')[0] === config.language.split('-')[0]) ?? config.language
const dates = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' })
const moments = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
const short = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' })
const clocks = new Intl.DateTimeFormat(locale, { hour: 'numeric', minute: '2-digit' })
const briefDays = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' })
/** Relative times, such as “in 3 days”. */
export const relative: Intl.RelativeTimeFormat = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })
const numbers = new Intl.NumberFormat(locale)

const MINUTE = 60
const HOUR = 3600
const DAY = 86_400

/** Formats the day, in the user's language and time zone. */
export const day = (at: string | number): string => dates.format(new Date(at))

/** Formats the day and the minute. */
export const moment = (at: string | number): string => moments.format(new Date(at))

/** Formats the day and the minute without the year, for narrow spaces. */
export const briefMoment = (at: string | number): string => short.format(new Date(at))

/** Formats the time of day, without the date. */
export const clockTime = (at: number): string => clocks.format(new Date(at))

/** Formats the day without the year. */
export const briefDay = (at: number): string => briefDays.format(new Date(at))

/** UTC to the second, as in a log. */
export const exact = (at: string | number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`

export const number = (value: number): string => numbers.format(value)

/** “90 days”, “12 hours”. */
export function duration(seconds: number): string {
  const [unit, length] =
    seconds >= DAY
      ? (['day', DAY] as const)
      : seconds >= HOUR
        ? (['hour', HOUR] as const)
        : seconds >= MINUTE
          ? (['minute', MINUTE] as const)
          : (['second', 1] as const)
  return units(seconds / length, unit)
}

const unitFormats = new Map<string, Intl.NumberFormat>()

// Creating a formatter is slow, and a list needs the same formatter for every row.
function units(count: number, unit: string): string {
  const format =
    unitFormats.get(unit) ?? new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long', maximumFractionDigits: 1 })
  unitFormats.set(unit, format)
  return format.format(count)
}

/** “30 days”, “24 hours”: whole days for three days or more, otherwise hours. */
export const spanText = (hours: number): string => (hours < 72 ? units(hours, 'hour') : units(Math.floor(hours / 24), 'day'))

/** Sorts names as people expect. */
export const collator = new Intl.Collator(locale, { numeric: true, sensitivity: 'base' })
