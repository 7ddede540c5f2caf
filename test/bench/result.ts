/** A table of figures. */
export type Table = { readonly title: string; readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] }

/** One aim and its measured value. */
export type Verdict = {
  readonly what: string
  readonly aim: string
  readonly got: string
  readonly met: boolean
  /** The reason, if the aim is not met. */
  readonly why?: string
}

/** The results of a section of the benchmark. */
export type Result = { readonly tables: readonly Table[]; readonly verdicts: readonly Verdict[]; readonly notes?: readonly string[] }

/** The results of a section, with the day of the measurement as YYYY-MM-DD. */
export type Dated = Result & { readonly on: string }

/**
 * A section. `quick` is a smoke run whose figures mean little, `worker` is the program of a cluster node, and `builds` is what `requests`
 * runs.
 */
export type Section = (options: { readonly quick: boolean; readonly worker: string; readonly builds: string }) => Promise<Result>

export const fixed = (value: number, digits = 2): string => value.toFixed(digits)
export const times = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ×`

/** An aim that a figure must not exceed. */
export const atMost = (what: string, limit: number, value: number, unit: string, why?: string): Verdict => ({
  what,
  aim: `at most ${limit} ${unit}`,
  got: `${fixed(value)} ${unit}`,
  met: value <= limit,
  ...(why !== undefined && { why }),
})

/** An aim that a figure must reach. */
export const atLeast = (what: string, limit: number, value: number, unit: string, why?: string): Verdict => ({
  what,
  aim: `at least ${limit} ${unit}`,
  got: `${fixed(value, value < 10 ? 2 : 0)} ${unit}`,
  met: value >= limit,
  ...(why !== undefined && { why }),
})
