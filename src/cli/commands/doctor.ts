import type { Command } from 'commander'
import type { Internals } from '../../instance.js'
import type { Health } from '../../model/health.js'
import type { TokenRecord } from '../../model/record.js'
import { addressCheck, type Check, healthChecks, serverChecks, settingsChecks } from '../lib/checks.js'
import type { Perform } from '../lib/command.js'
import { EXIT, readFault } from '../lib/fault.js'
import { findInternals, OTHER_COPY } from '../lib/internals.js'
import { type Streams, say, write, writeTable } from '../lib/output.js'
import { printable } from '../lib/printable.js'
import { absentFile, type Session } from '../lib/session.js'

/** An ID that no token has. A lookup of it makes the instance read the store and the feed. */
const NOBODY = '0'.repeat(16)
/** The number of events to check. `verify-audit` checks all of them. */
const EVENTS = 500
/** The number of tokens to check, newest first. */
const TOKENS = 100

const UNKNOWN_SETTINGS: Check = { name: 'settings', detail: `unknown: ${OTHER_COPY}` }

export function addDoctor(program: Command, perform: Perform): void {
  const command = program
    .command('doctor')
    .summary('check the configuration, the store and its server, and the change feed')
    .description(
      'Checks the configuration, the store and its server, and the change feed, and advises what to do. Exits with 3 if the store does not answer, and with 1 if another check fails.',
    )
  perform(command, async (session) => {
    const absent = absentFile(session.tokens)
    const { store, others, health } = absent === undefined ? await checkAll(session) : withoutFile(absent)
    const checks: readonly Check[] = [
      { name: 'configuration', detail: session.configFile },
      { name: 'node', detail: process.version },
      store,
      ...others,
    ]
    const ok = checks.every((check) => check.ok !== false)
    await session.answer({ ok, checks, health }, async () => {
      await show(session.streams, checks)
      await say(session.streams, ok ? 'All checks passed.' : 'Some checks failed.')
    })
    if (ok) return EXIT.ok
    return store.ok ? EXIT.failed : EXIT.undecided
  })
}

type StoreCheck = Check & { readonly ok: boolean }
type Checked = { readonly store: StoreCheck; readonly others: readonly Check[]; readonly health?: Health }

async function checkAll(session: Session): Promise<Checked> {
  const inside = findInternals(session.tokens)
  const { check: store, records } = await checkStore(session, inside)
  const health = await session.tokens.health()
  const others: readonly Check[] = [
    ...(inside === undefined ? [] : await serverChecks(inside, store.ok)),
    ...healthChecks(health, store.ok),
    ...(inside === undefined ? [UNKNOWN_SETTINGS] : await settingsChecks(inside, records)),
    ...(store.ok ? [addressCheck(records)] : []),
  ]
  return { store, others, health }
}

/** Returns the result for a SQLite file that does not exist. Any other check would create it. */
function withoutFile(file: string): Checked {
  const advice = 'Check the path in the configuration. To create the file, run npx latchkey migrate.'
  return { store: { name: 'store (sqlite)', ok: false, detail: `the file ${file} does not exist`, advice }, others: [] }
}

/** Writes a table of all checks, followed by what to do. */
export async function show(streams: Streams, checks: readonly Check[]): Promise<void> {
  const rows = checks.map((check) => [check.name, check.ok === undefined ? '' : check.ok ? 'ok' : 'FAILED', check.detail])
  await writeTable(streams, ['check', '', 'detail'], rows, { whole: true })
  for (const { name, advice } of checks) if (advice !== undefined) await write(streams.stdout, `${printable(`${name}: ${advice}`)}\n`)
}

type Opened = { readonly check: StoreCheck; readonly records: readonly TokenRecord[] }

/** Opens the store, which also checks its tables, and starts the feed. */
async function checkStore({ tokens, handle, told }: Session, inside: Internals | undefined): Promise<Opened> {
  const name = inside === undefined ? 'store' : `store (${inside.readings().store})`
  try {
    const { items } = await handle.list({ limit: TOKENS })
    await inside?.standing(NOBODY)
    await handle.events({ limit: EVENTS })
    // The store may have tokens with another prefix, which this configuration does not see.
    const detail = items.length === 0 ? `responds; it contains no tokens with the prefix ${tokens.prefix} yet` : 'responds'
    return { check: { name, ok: true, detail }, records: items }
  } catch (error) {
    told(error)
    return { check: { name, ok: false, detail: readFault(error).sentence }, records: [] }
  }
}
