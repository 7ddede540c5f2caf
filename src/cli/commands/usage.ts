import type { Command } from 'commander'
import type { Duration } from '../../model/record.js'
import type { Perform } from '../lib/command.js'
import { writeFields, writeTable } from '../lib/output.js'
import { given, numberOrText } from '../lib/read-values.js'

type Options = { readonly from?: number | string; readonly to?: number | string; readonly step?: Duration }

export function addUsage(program: Command, perform: Perform): void {
  const command = program
    .command('usage')
    .summary('show how often, where and from which addresses a token is used')
    .description('Shows how a token is used: how often, on which endpoints, with which outcomes and from which addresses.')
    .argument('<id>', 'ID of the token')
    .option('--from <instant>', 'from this instant on', numberOrText)
    .option('--to <instant>', 'before this instant', numberOrText)
    .option('--step <duration>', 'the length of a bucket; very busy tokens need a longer one, such as 1d', numberOrText)
  perform<Options>(command, async ({ handle, streams, readId, answer }, { from, to, step }, [text = '']) => {
    const report = await handle.usage(await readId(text), given({ from, to, step }))
    await answer(report, async () => {
      const { tokenId, total, refused, lastUsedAt, lastUsedIp, unusedScopes } = report
      await writeFields(streams, { tokenId, total, refused, lastUsedAt: lastUsedAt ?? 'never', lastUsedIp, unusedScopes })
      const counts = (rows: readonly { readonly count: number }[], name: string): Promise<void> =>
        rows.length === 0
          ? Promise.resolve()
          : writeTable(
              streams,
              [name, 'count'],
              rows.map((row) => [Reflect.get(row, name), row.count]),
            )
      await counts(report.endpoints, 'endpoint')
      await counts(report.outcomes, 'outcome')
      await counts(report.scopes, 'scope')
      if (report.addresses.length > 0) {
        await writeTable(
          streams,
          ['address', 'count', 'last'],
          report.addresses.map(({ ip, count, lastAt }) => [ip, count, lastAt]),
        )
      }
    })
  })
}
