import { type Finding, quantile } from './scenarios.js'

const ms = (value: number): string => (Number.isNaN(value) ? '–' : value.toFixed(1))

/** One line about the findings of a scenario. */
export function line({ scenario, trials, violations, verifications, seenAfterMs, notes }: Finding): string {
  const [p50, p99] = [quantile(seenAfterMs, 0.5), quantile(seenAfterMs, 0.99)]
  const most = seenAfterMs.length === 0 ? Number.NaN : Math.max(...seenAfterMs)
  const figures = `seen after ${ms(p50)} ms (median), ${ms(p99)} (p99), ${ms(most)} (most)`
  return [`${scenario}: ${violations.length} violations in ${trials} trials, ${verifications} verifications; ${figures}`, ...notes].join(
    '; ',
  )
}
