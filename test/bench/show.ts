import { table } from './paired.js'
import type { Result, Verdict } from './result.js'

/** The aims and the measured values, as a markdown table. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  return table(
    ['what', 'aim', 'measured', 'met'],
    verdicts.map(({ what, aim, got, met }) => [what, aim, got, met ? 'yes' : '**no**']),
  )
}

/** A result as markdown, for the terminal and the page. */
export function show({ tables, verdicts, notes = [] }: Result, withVerdicts = true): string {
  const parts = tables.map(({ title, head, rows }) => `### ${title}\n\n${table(head, rows)}`)
  if (withVerdicts && verdicts.length > 0) parts.push(verdictTable(verdicts))
  return ['', ...parts, ...notes].join('\n\n')
}
