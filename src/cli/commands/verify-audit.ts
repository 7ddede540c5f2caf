import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { AuditProblem, AuditReport, KnownHead } from '../../model/audit.js'
import type { Perform } from '../lib/command.js'
import { CommandError, EXIT } from '../lib/fault.js'
import { findInternals } from '../lib/internals.js'
import { say, writeFields, writeTable } from '../lib/output.js'
import { readJson } from '../lib/read-values.js'

export function addVerifyAudit(program: Command, perform: Perform): void {
  const command = program
    .command('verify-audit')
    .summary('check the sealed audit log against a head kept outside the database')
    .description(
      'Checks every audit event against the seals, and the seals against a head. Exits with 1 if anything is wrong or nothing is sealed.',
    )
    .option('--head <file>', 'a file with a head kept outside the database, as JSON; if it has one head per line, the newest one counts')
  perform<{ readonly head?: string }>(command, async ({ tokens, handle, streams, answer }, { head }) => {
    const found = await handle.verifyAudit(head === undefined ? {} : { head: await readHead(streams.cwd, head) })
    const report = isUnsealed(found)
      ? { ...found, ok: false, problems: [nothingSealed(findInternals(tokens)?.settings.sealing !== undefined)] }
      : found
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
      if (report.ok && report.anchor === 'none')
        await say(streams, 'Without --head, this shows only that the audit log is internally consistent.')
    })
    return report.ok ? EXIT.ok : EXIT.failed
  })
}

/** Without seals, nothing was checked, however long the log is. A job that runs this command must not take that for a success. */
function isUnsealed({ head, problems }: AuditReport): boolean {
  return head === undefined && problems.length === 0
}

function nothingSealed(isConfigured: boolean): AuditProblem {
  const advice = isConfigured ? 'events are sealed while your application runs' : 'set the `sealing` option'
  return { kind: 'seal', message: `Nothing is sealed, so nothing was verified: ${advice}` }
}

async function readHead(cwd: string, file: string): Promise<KnownHead> {
  const text = await readFile(resolve(cwd, file), 'utf8').catch(() => {
    throw new CommandError(EXIT.usage, `--head: ${file} cannot be read`)
  })
  // A file of appended heads has one per line. Several nodes may append to it, so the newest head is not necessarily the last.
  const lines = text.trim().split('\n')
  return lines.every(isJson) ? newestOf(lines.map((line) => JSON.parse(line))) : (readJson('the --head file', text) as KnownHead)
}

/** Returns the head with the highest number. The library validates heads, so a head without a number is returned for it to refuse. */
function newestOf(heads: readonly KnownHead[]): KnownHead {
  return heads.reduce((newest, head) => (isNumbered(newest) && (!isNumbered(head) || head.number >= newest.number) ? head : newest))
}

function isNumbered(head: unknown): boolean {
  return typeof Object(head).number === 'number'
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}
