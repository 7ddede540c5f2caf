import { cpus } from 'node:os'
import type { Dated, Result } from './result.js'
import { show, verdictTable } from './show.js'

/** A section of the benchmark with its results. */
export type Measured = { readonly name: string; readonly result: Dated }

/** The names of the variants that the tables compare. */
const TERMS = [
  '- **Warm verification**: a verification of a token whose record is in the cache. A **miss** is a verification that has to read the store.',
  '- **As adapters call it**: latchkey makes the decision and counts the use, but does not create the promise that `await tokens.verify()` returns.',
  '- **Hand-written minimum**: a minimal correct verification. It checks the form of the token, computes one hash, compares the checksum and the digest, finds the record in a `Map`, and checks its status.',
  '- **Textbook code**: a typical verification with a regular expression, `createHash` and `timingSafeEqual`.',
  '- **Bare**: the same server without a guard. **CPU added** is the CPU time of a request minus the CPU time of a request to the bare server.',
  '- **Hand-written optimum**: a guard that runs the hand-written minimum and sets one property of the request.',
  '- **A guard with the same duties**: a guard that is hand-written for one application. Like latchkey, it checks how old its data is, stores the principal with the request, checks the scope, and counts the use by route.',
]

/** The page `docs/performance.md`, generated from the results alone. */
export function page(measured: readonly Measured[]): string {
  const verdicts = measured.flatMap(({ result }) => result.verdicts)
  const missed = verdicts.filter(({ met }) => !met)
  const model = cpus()[0]?.model.trim() || 'an unnamed model'
  const parts = [
    '# Performance',
    '`npm run bench -- --write` generates this page. To measure your own machine, run `npm run bench`. The benchmark expects databases at the addresses that the tests use (see CONTRIBUTING.md). `--only=verify,http` runs only those sections. `--quick` is only a smoke test, so ignore its figures.',
    `The figures were measured with Node ${process.version} on ${cpus().length} shared cores (${model}), with the databases and the load generator on the same machine. Variants alternate within one run, and the benchmark compares the CPU time of the process under test, so **ratios are more reliable than absolute times**. Differences of a few percent are within the noise. CPU time added to a request is a small difference between two large times, so it may change by a third from one run to the next.`,
    '## Terms',
    TERMS.join('\n'),
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
