import type { Command } from 'commander'
import type { Internals } from '../../instance.js'
import type { Health } from '../../model/health.js'
import type { Perform } from '../lib/command.js'
import { EXIT, readFault } from '../lib/fault.js'
import { findInternals, OTHER_COPY } from '../lib/internals.js'
import { say, writeTable } from '../lib/output.js'
import type { Session } from '../lib/session.js'

/** One thing that was looked at. `ok` is absent for what is told without a judgment. */
type Check = { readonly name: string; readonly ok?: boolean; readonly detail: string }

const DAY_MS = 86_400_000
/** Names no token: asking for it makes the instance read the store and the feed. */
const NOBODY = '0'.repeat(16)

/** `doctor` */
export function addDoctor(program: Command, perform: Perform): void {
  const command = program
    .command('doctor')
    .summary('check the configuration, the store and the change feed')
    .description(
      'Checks the configuration, the store and the change feed. Exits with 3 where the store does not answer, with 1 where another check fails.',
    )
  perform(command, async (session) => {
    const inside = findInternals(session.tokens)
    const store = await checkStore(session, inside)
    const health = await session.tokens.health()
    const checks = [
      { name: 'configuration', detail: session.configFile },
      { name: 'node', detail: process.version },
      store,
      ...checksOf(health),
      ...(inside === undefined ? [UNKNOWN_SETTINGS] : settingsOf(inside)),
    ]
    const ok = checks.every((check) => check.ok !== false)
    await session.answer({ ok, checks, health }, async () => {
      await writeTable(
        session.streams,
        ['check', '', 'detail'],
        checks.map((check) => [check.name, check.ok === undefined ? '' : check.ok ? 'ok' : 'FAILED', check.detail]),
        { whole: true },
      )
      await say(session.streams, ok ? 'Everything that was checked is fine.' : 'Something is wrong.')
    })
    if (ok) return EXIT.ok
    return store.ok ? EXIT.failed : EXIT.undecided
  })
}

const UNKNOWN_SETTINGS: Check = { name: 'settings', detail: `unknown: ${OTHER_COPY}` }

/** So many are looked at. All of them: `verify-audit`. */
const EVENTS = 500

/** Opens the store, which also checks its tables, and starts the feed. */
async function checkStore({ handle }: Session, inside: Internals | undefined): Promise<Check & { readonly ok: boolean }> {
  const name = inside === undefined ? 'store' : `store (${inside.readings().store})`
  try {
    const { items } = await handle.list({ limit: 1 })
    await inside?.standing(NOBODY)
    await handle.events({ limit: EVENTS })
    return { name, ok: true, detail: items.length === 0 ? 'answers; it holds no tokens yet' : 'answers' }
  } catch (error) {
    return { name, ok: false, detail: readFault(error).sentence }
  }
}

function checksOf({ store, feed, consumers, damagedEvents }: Health): readonly Check[] {
  return [
    { name: 'breaker', ok: store.breaker === 'closed', detail: store.breaker },
    {
      name: 'feed',
      ok: feed.ok,
      detail: feed.lagSeconds === undefined ? 'not read yet' : `read to its end ${feed.lagSeconds.toFixed(1)} s ago`,
    },
    wakeUps(feed.wakeUps),
    {
      name: 'audit',
      ok: damagedEvents.length === 0,
      detail:
        damagedEvents.length === 0
          ? 'the newest events can be read'
          : `damaged: ${damagedEvents.map(({ id, seq }) => `event ${id} at place ${seq}`).join(', ')}`,
    },
    ...consumers.map(({ name, lagSeconds, failures }) => ({
      name: `consumer ${name}`,
      ok: failures === 0,
      detail: `${lagSeconds === undefined ? 'position unknown' : `${lagSeconds.toFixed(1)} s behind`}, ${failures} failures`,
    })),
  ]
}

function wakeUps(state: Health['feed']['wakeUps']): Check {
  if (state === undefined) return { name: 'wake-ups', detail: 'the store has none, or nothing was heard of them yet' }
  return { name: 'wake-ups', ok: state === 'ok', detail: state }
}

function settingsOf(inside: Internals): readonly Check[] {
  const { retention } = inside.settings
  const days = (ms: number | undefined): string => (ms === undefined ? 'for ever' : `${Math.round((ms / DAY_MS) * 10) / 10} days`)
  return [
    { name: 'pepper', detail: inside.looksUpForgeries ? 'not set' : 'set' },
    { name: 'staleness', detail: `a revocation reaches every node within ${inside.readings().maxStalenessSeconds} s` },
    { name: 'kept: audit', detail: days(retention.eventsMs) },
    { name: 'kept: usage', detail: days(retention.usageMs) },
    { name: 'kept: addresses', detail: days(retention.addressesMs) },
    { name: 'kept: ended tokens', detail: days(retention.deadMs) },
  ]
}
