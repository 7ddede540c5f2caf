import { config } from './config.js'

const locale = config.locale
const dates = new Intl.DateTimeFormat(locale, { dateStyle: 'medium' })
const moments = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' })
const short = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' })
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })
const numbers = new Intl.NumberFormat(locale)

const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
]

/** “5 minutes ago”, “in 3 days”, in the reader's language. */
export function ago(at: string | number, now: number = Date.now()): string {
  const seconds = (new Date(at).getTime() - now) / 1000
  if (Math.abs(seconds) < 10) return relative.format(0, 'second')
  const [unit, length] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1]
  return relative.format(Math.trunc(seconds / length), unit)
}

/** The day, in the reader's language and time zone. */
export const day = (at: string | number): string => dates.format(new Date(at))

/** The day and the minute. */
export const moment = (at: string | number): string => moments.format(new Date(at))

/** The same without the year, for tight places. */
export const briefMoment = (at: string | number): string => short.format(new Date(at))

/** To the second in UTC, as a log has it. */
export const exact = (at: string | number): string => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`

export const number = (value: number): string => numbers.format(value)

/** “90 days”, “12 hours”. */
export function duration(seconds: number): string {
  const [unit, length] = [...STEPS]
    .filter(([name]) => name === 'day' || name === 'hour' || name === 'minute')
    .find(([, size]) => seconds >= size) ?? ['second', 1]
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long', maximumFractionDigits: 1 }).format(seconds / length)
}
