import type { Command } from 'commander'
import type { ImportInput, ImportReport } from '../../model/import.js'
import type { Perform } from '../lib/command.js'
import { loadFunction } from '../lib/config.js'
import { EXIT } from '../lib/fault.js'
import { type Streams, say, writeFields, writeTable } from '../lib/output.js'
import { readRows } from '../lib/rows.js'

type Options = { readonly format: string; readonly map: string; readonly dryRun?: boolean }

/** Rows between two lines of progress. */
const EVERY = 10_000

/** `import` */
export function addImport(program: Command, perform: Perform): void {
  const command = program
    .command('import')
    .summary('import the tokens of another system from a file of JSON lines')
    .description(
      'Makes records of tokens that another system made, one from each line of a file. Rows that were imported before are skipped.',
    )
    .argument('<file>', 'one JSON object on each line; - reads standard input')
    .requiredOption('--format <name>', 'name of a format of the option imports')
    .requiredOption('--map <file>', 'module that exports map(row), which returns the terms of the token, or nothing to leave the row out')
    .option('--dry-run', 'check everything and write nothing')
  perform<Options>(command, async ({ handle, streams, answer }, { format, map, dryRun = false }, [file = '']) => {
    const terms = (await loadFunction(streams.cwd, '--map', map, 'map')) as ImportInput['map']
    const report = await handle.import(readRows(streams, file), {
      format,
      map: terms,
      dryRun,
      onProgress: async ({ rows }) => {
        if (rows % EVERY === 0) await say(streams, `${rows} rows`)
      },
    })
    // What map() threw may quote a row, and a row holds a secret.
    const told = { ...report, problems: report.problems.map(({ cause: _, ...problem }) => problem) }
    await answer(told, () => writeReport(streams, told, dryRun))
    return report.failed > 0 ? EXIT.failed : EXIT.ok
  })
}

async function writeReport(streams: Streams, { problems, ...counts }: ImportReport, dryRun: boolean): Promise<void> {
  await writeFields(streams, counts)
  const rows = problems.map(({ row, field, message }) => [row, field, message])
  if (rows.length > 0) await writeTable(streams, ['row', 'field', 'problem'], rows, { whole: true })
  if (dryRun) await say(streams, 'Nothing was written.')
}
