import type { JSX } from 'preact'
import { ago } from '../lib/ago.js'
import { useNow } from '../lib/clock.js'
import { exact, moment } from '../lib/format.js'

/** A relative time that is kept up to date, with the exact UTC time on hover and for machines. */
export function Ago({ at }: { readonly at: string | number }): JSX.Element {
  const now = useNow()
  return (
    <time dateTime={new Date(at).toISOString()} title={exact(at)}>
      {ago(at, now)}
    </time>
  )
}

/** The day and the minute. */
export function Moment({ at }: { readonly at: string }): JSX.Element {
  return (
    <time dateTime={at} title={exact(at)}>
      {moment(at)}
    </time>
  )
}
