import { cpus } from 'node:os'
import type { Dated, Result } from './result.js'
import { show, verdictTable } from './show.js'

/** A section of the benchmark by its name, and what it found. */
export type Measured = { readonly name: string; readonly result: Dated }

/** The page `docs/performance.md`, made from results alone. */
export function page(measured: readonly Measured[]): string {
  const verdicts = measured.flatMap(({ result }) => result.verdicts)
  const missed = verdicts.filter(({ met }) => !met)
  const model = cpus()[0]?.model.trim() || 'an unnamed model'
  const parts = [
    '# Performance',
    'Written by `npm run bench -- --write`; nothing here is typed by hand. Run `npm run bench` to see the figures of your own machine, with the databases at the addresses that the tests use (see CONTRIBUTING.md). `--only=verify,http` chooses sections, `--quick` is a smoke run whose figures mean little.',
    `Measured with Node ${process.version} on ${cpus().length} shared cores (${model}), the databases and the load generator on the same machine. Variants run in alternating slices of one run and are compared by the CPU time of the process under test, so **ratios are firmer than the microseconds beside them**. Differences of a few per cent cannot be told apart on such a machine.`,
    '## Aims',
    verdictTable(verdicts),
    ...(missed.length === 0 ? [] : ['## What misses its aim, and what may be behind it', missed.map(reason).join('\n')]),
    '## Figures',
    ...measured.map(({ name, result }) => `By \`npm run bench -- --only=${name}\`, on ${result.on}:\n\n${show(result, false).trim()}`),
  ]
  return `${parts.join('\n\n')}\n`
}

function reason({ what, aim, got, why }: Result['verdicts'][number]): string {
  return `- **${what}**: ${aim}, measured ${got}. ${why ?? 'Not explained yet; measure again on a quiet machine first.'}`
}
