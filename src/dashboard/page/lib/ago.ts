import { relative } from './format.js'
import { t } from './text.js'

const MINUTE = 60
const HOUR = 3600
const DAY = 86_400
/** The numbers of days from which a time is shown in months and in years. */
const MONTHS_FROM_DAYS = 45
const YEARS_FROM_DAYS = 548

/** “5 minutes ago”, “in 3 days”, in the user's language. Days are calendar days, and values are rounded to the nearest unit. */
export function ago(at: string | number, now: number = Date.now()): string {
  const then = new Date(at)
  const seconds = (then.getTime() - now) / 1000
  const size = Math.abs(seconds)
  if (size < 10) return seconds > 0 ? relative.format(0, 'second') : t('time.justNow')
  if (size < MINUTE - 0.5) return relative.format(Math.round(seconds), 'second')
  if (size < HOUR - 30) return relative.format(Math.round(seconds / MINUTE), 'minute')
  const days = calendarDays(then, new Date(now))
  if (size < DAY - HOUR / 2 || days === 0) return relative.format(Math.round(seconds / HOUR), 'hour')
  if (Math.abs(days) < MONTHS_FROM_DAYS) return relative.format(days, 'day')
  if (Math.abs(days) < YEARS_FROM_DAYS) return relative.format(Math.round(days / 30.44), 'month')
  return relative.format(Math.round(days / 365.25), 'year')
}

// UTC midnights of the user's dates, because a day with a clock change has 23 or 25 hours.
function calendarDays(then: Date, now: Date): number {
  const [a, b] = [then, now].map((date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()))
  return Math.round(((a ?? 0) - (b ?? 0)) / (DAY * 1000))
}
