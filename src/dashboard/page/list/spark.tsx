import type { JSX } from 'preact'
import { spanText } from '../lib/format.js'
import { useSpan } from '../lib/span.js'
import { t } from '../lib/text.js'
import type { Summary } from '../lib/types.js'

const STEPS = 28
const STEP_MS = 43_200_000
/** The period of the sparklines, in hours. */
export const SPARK_HOURS: number = (STEPS * STEP_MS) / 3_600_000
const WIDTH = 96
const HEIGHT = 28

/** The uses of the tokens on a page, by ID; absent until loaded. */
export type Uses = ReadonlyMap<string, Summary>

/** Recent use as small bars. */
export function Spark({ summary }: { readonly summary: Summary | undefined }): JSX.Element {
  const span = useSpan(SPARK_HOURS)
  if (summary === undefined) return <span class="spark" />
  const text = t('list.sparkline', { count: summary.total, span: spanText(span) })
  const heights = barsOf(summary)
  const most = Math.max(1, ...heights)
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} role="img" aria-label={text}>
      <title>{text}</title>
      <path class="none" d={pathOf(heights.map((count) => (count === 0 ? 1 : 0)))} />
      <path d={pathOf(heights.map((count) => (count === 0 ? 0 : Math.max(3, (count / most) * HEIGHT))))} />
    </svg>
  )
}

// One path for all bars, because a list has many tokens.
function pathOf(heights: readonly number[]): string {
  const width = WIDTH / STEPS
  return heights.map((height, index) => (height === 0 ? '' : `M${index * width} ${HEIGHT}v${-height}h${width - 1}v${height}z`)).join('')
}

function barsOf({ steps }: Summary): readonly number[] {
  const hour = 3_600_000
  const from = Math.ceil(Date.now() / hour) * hour - STEPS * STEP_MS
  const bars = Array.from({ length: STEPS }, () => 0)
  for (const { at, count } of steps) {
    const index = Math.round((Date.parse(at) - from) / STEP_MS)
    if (index >= 0 && index < STEPS) bars[index] = (bars[index] ?? 0) + count
  }
  return bars
}
