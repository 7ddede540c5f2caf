import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { KnownHead } from '../../model/audit.js'
import type { Perform } from '../lib/command.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { say, writeFields, writeTable } from '../lib/output.js'
import { readJson } from '../lib/read-values.js'

export function addVerifyAudit(program: Command, perform: Perform): void {
  const command = program
    .command('verify-audit')
    .summary('check the sealed audit log against a head kept outside the database')
    .description('Checks every audit event against the seals, and the seals against a head. Exits with 1 if anything is wrong.')
    .option('--head <file>', 'a file with a head kept outside the database, as JSON; if it has one head per line, the last one counts')
  perform<{ readonly head?: string }>(command, async ({ handle, streams, answer }, { head }) => {
    const report = await handle.verifyAudit(head === undefined ? {} : { head: await readHead(streams.cwd, head) })
    await answer(report, async () => {
      const { head: newest, problems, ...counts } = report
      await writeFields(streams, { ...counts, head: newest })
      if (problems.length > 0) {
        await writeTable(
          streams,
          ['kind', 'seal', 'seq', 'event', 'problem'],
          problems.map((p) => [p.kind, p.seal, p.seq, p.eventId, p.message]),
          { whole: true },
        )
      }
      if (report.anchor === 'none') await say(streams, 'Without --head, this shows only that the audit log is internally consistent.')
    })
    return report.ok ? EXIT.ok : EXIT.failed
  })
}

async function readHead(cwd: string, file: string): Promise<KnownHead> {
  const text = await readFile(resolve(cwd, file), 'utf8').catch(() => {
    throw new CommandError(EXIT.usage, `--head: ${file} cannot be read`)
  })
  // A file of appended heads has one per line, and the last one counts. The library validates their fields.
  const lines = text.trim().split('\n')
  return readJson('the --head file', lines.every(isJson) ? lines.at(-1) : text) as KnownHead
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}
