import type { Command } from 'commander'
import { type CopyProgress, type CopyReport, type CopyStep, copy } from '../../extensions/copy/index.js'
import type { Perform } from '../lib/command.js'
import { type Streams, say, writeTable } from '../lib/output.js'
import type { Session } from '../lib/session.js'
import { choiceOption } from '../lib/suggest.js'

type Options = { readonly to: string; readonly step: CopyStep }

const STEPS: readonly CopyStep[] = ['copy', 'fence', 'open', 'cancel']

const OUTCOMES: { readonly [Step in CopyStep]: string } = {
  copy: 'Copied. The old store still accepts changes: run --step fence when you are ready to switch.',
  fence: 'Both stores have the same contents and refuse changes. Send traffic to the new nodes, then run --step open.',
  open: 'The new store accepts changes. The old one no longer verifies tokens.',
  cancel: 'Canceled. The old store accepts changes, and the new one accepts no tokens.',
}

/** The number of rows between two progress messages. */
const EVERY = 10_000

export function addCopy(program: Command, perform: Perform): void {
  const command = program
    .command('copy')
    .summary('move everything to another store while tokens keep working')
    .description(
      'Copies everything that the store keeps under the prefix to the store of another configuration. Steps: copy (changes are still accepted), fence (changes are refused, the rest is copied and compared), open (the new store takes over permanently), cancel.',
    )
    .requiredOption('--to <file>', 'the configuration of the new store')
    .addOption(choiceOption('--step <step>', 'what to do next', STEPS).default('copy'))
  perform<Options>(command, async (session, { to, step }) => {
    const target = await session.openOther('--to', to)
    if (step === 'open') {
      await session.confirm(() => `Switch permanently to the store configured in ${to}? The old store will no longer verify tokens.`)
    }
    const report = await copyUntilEnd(session, target, step)
    const { streams, answer } = session
    await answer(report, async () => {
      await writeReport(streams, report)
      await say(streams, OUTCOMES[step])
    })
  })
}

/** Copies until the step is done. An interrupt stops it before the next batch of rows. If the store already refused changes, it accepts them again. */
async function copyUntilEnd({ tokens, streams, onEnd }: Session, target: Session['tokens'], step: CopyStep): Promise<CopyReport> {
  const abort = new AbortController()
  const running = copy(tokens, target, { step, signal: abort.signal, onProgress: progressTo(streams) })
  onEnd(async () => {
    abort.abort()
    await running.catch(() => undefined)
  })
  return await running
}

function progressTo(streams: Streams): (progress: CopyProgress) => Promise<void> {
  let told = ''
  return async ({ part, pass, rows }) => {
    const thousands = Math.floor(rows / EVERY)
    const line = `${pass === 'last' ? 'last pass, ' : ''}${part}: ${thousands * EVERY} rows`
    if (thousands === 0 || line === told) return
    told = line
    await say(streams, line)
  }
}

async function writeReport(streams: Streams, { parts, damagedEvents, damagedTokens }: CopyReport): Promise<void> {
  if (parts !== undefined) {
    const rows = Object.entries(parts).map(([name, { count, written, hash }]) => [name, count, written, hash])
    await writeTable(streams, ['', 'rows', 'written', 'sha256'], rows, { whole: true })
  }
  if (damagedTokens.length > 0) await say(streams, `Damaged tokens, not copied: ${damagedTokens.join(', ')}`)
  if (damagedEvents.length > 0) await say(streams, `Damaged events, copied without their unreadable parts: ${damagedEvents.join(', ')}`)
}
