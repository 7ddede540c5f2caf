/** Something to measure. `run` runs its work `count` times. */
export type Variant = {
  readonly name: string
  readonly run: (count: number) => void | Promise<void>
  /**
   * How many times as often the variant runs in a slice, because a variant much faster than the others would be too short to measure.
   * @default 1
   */
  readonly repeat?: number
}

/** The CPU time of one call in microseconds, and its ratio to the first variant in the same round. */
export type Measured = {
  readonly name: string
  readonly p10: number
  readonly median: number
  readonly ratioP10: number
  readonly ratioMedian: number
}

/**
 * Measures variants against the first one by CPU time in short alternating slices. Other load on the machine affects all variants alike.
 *
 * Ratios are more reliable than the microseconds next to them.
 */
export async function measurePaired(variants: readonly Variant[], options: { rounds: number; count: number }): Promise<Measured[]> {
  const { rounds, count } = options
  const times = variants.map((): number[] => [])
  for (const variant of variants) {
    await variant.run(count)
    await breathe()
  }
  for (let round = 0; round < rounds; round += 1) {
    // The order changes each round, so no variant always runs after the same neighbor.
    for (let offset = 0; offset < variants.length; offset += 1) {
      const at = (round + offset) % variants.length
      const variant = variants[at]
      const calls = count * (variant?.repeat ?? 1)
      const began = process.cpuUsage()
      await variant?.run(calls)
      const { user, system } = process.cpuUsage(began)
      times[at]?.push((user + system) / calls)
      await breathe()
    }
  }
  const base = times[0] ?? []
  return variants.map(({ name }, at) => {
    const own = times[at] ?? []
    const ratios = own.map((time, round) => time / (base[round] ?? Number.NaN))
    return {
      name,
      p10: quantile(own, 0.1),
      median: quantile(own, 0.5),
      ratioP10: quantile(own, 0.1) / quantile(base, 0.1),
      ratioMedian: quantile(ratios, 0.5),
    }
  })
}

// Lets timers run between the slices, as they do between requests, including the feed follower.
function breathe(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1))
}

/** The value below which this share of the samples lies. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** A markdown table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
