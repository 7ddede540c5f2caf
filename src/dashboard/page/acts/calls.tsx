import type { JSX } from 'preact'
import { number, spanText } from '../lib/format.js'
import { MONTH_HOURS, useSpan } from '../lib/span.js'
import { t } from '../lib/text.js'

type Props = {
  readonly day: number
  readonly all: number
  /** Are these not all of them? */
  readonly atLeast?: boolean
}

/** How many calls there were in a day and in a month, or in as much of it as is kept. */
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
