import type { JSX } from 'preact'
import { number, spanText } from '../lib/format.js'
import { MONTH_HOURS, useSpan } from '../lib/span.js'
import { t } from '../lib/text.js'

type Props = {
  readonly day: number
  readonly all: number
  /** Whether there were more calls than these. */
  readonly atLeast?: boolean
}

/** The number of calls in a day and in a month, or in the part of the month for which the server keeps counts. */
export function CallCounts({ day, all, atLeast }: Props): JSX.Element {
  const brief = useSpan(24)
  const long = useSpan(MONTH_HOURS)
  const rows = [{ hours: brief, count: day }, ...(long > brief ? [{ hours: long, count: all }] : [])]
  return (
    <dl class="break-counts">
      {rows.map(({ hours, count }) => (
        <div key={hours}>
          <dt>{t('revoke.calls', { span: spanText(hours) })}</dt>
          <dd>{atLeast ? t('together.atLeast', { count }) : number(count)}</dd>
        </div>
      ))}
    </dl>
  )
}
