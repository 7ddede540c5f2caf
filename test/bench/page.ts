import { cpus } from 'node:os'
import type { Dated, Result } from './result.js'
import { show, verdictTable } from './show.js'

/** A section of the benchmark with its results. */
export type Measured = { readonly name: string; readonly result: Dated }

/** The page `docs/performance.md`, generated from the results alone. */
export function page(measured: readonly Measured[]): string {
  const verdicts = measured.flatMap(({ result }) => result.verdicts)
  const missed = verdicts.filter(({ met }) => !met)
  const model = cpus()[0]?.model.trim() || 'an unnamed model'
  const parts = [
    '# Performance',
    '`npm run bench -- --write` generates this page. Run `npm run bench` to measure your own machine; it expects the databases at the addresses that the tests use (see CONTRIBUTING.md). `--only=verify,http` runs only those sections. `--quick` is a smoke test: its figures mean little.',
    `Measured with Node ${process.version} on ${cpus().length} shared cores (${model}), the databases and the load generator on the same machine. Variants alternate within one run and are compared by the CPU time of the process under test, so **ratios are more reliable than absolute times**. Differences of a few percent are within the noise.`,
    '## Aims',
    verdictTable(verdicts),
    ...(missed.length === 0 ? [] : ['## Aims that are not met, and why', missed.map(reason).join('\n')]),
    '## Figures',
    ...measured.map(
      ({ name, result }) => `Measured by \`npm run bench -- --only=${name}\` on ${result.on}:\n\n${show(result, false).trim()}`,
    ),
  ]
  return `${parts.join('\n\n')}\n`
}

function reason({ what, aim, got, why }: Result['verdicts'][number]): string {
  return `- **${what}**: ${aim}, measured ${got}. ${why ?? 'Not explained yet. Measure again on a quiet machine first.'}`
}
