import type { Internals } from '../../instance.js'
import type { Health } from '../../model/health.js'
import type { TokenRecord } from '../../model/record.js'
import { formatOf } from '../../policy/imports.js'
import { isOfOtherKey } from '../../verbs/lib/import-key.js'
import { readFault } from './fault.js'

/** The result of one check. `ok` is absent if the result is neither good nor bad, `advice` if there is nothing to do. */
export type Check = { readonly name: string; readonly ok?: boolean; readonly detail: string; readonly advice?: string }

const DAY_MS = 86_400_000
/** A larger difference between clocks is reported. The duration of the query is taken into account. */
const MOST_APART_MS = 1_000
/** This many tokens with the same address suggest a proxy. */
const PROXIED = 5

/**
 * Returns the store's diagnosis of its server, and the offset of its clock from this node's. If the store is known to fail, a failure here is not reported
 * again.
 */
export async function serverChecks(inside: Internals, storeAnswers: boolean): Promise<readonly Check[]> {
  const { clock } = inside.settings
  try {
    const before = clock()
    const diagnosis = await inside.store().diagnose()
    const after = clock()
    if (diagnosis === undefined) return [{ name: 'server', detail: 'this store does not check its server' }]
    const { findings, now } = diagnosis
    return [...findings, ...(now === undefined ? [] : [clockCheck(now - (before + after) / 2, (after - before) / 2)])]
  } catch (error) {
    if (!storeAnswers) return []
    return [
      {
        name: 'server',
        ok: false,
        detail: readFault(error).sentence,
        advice: "Allow the store's database user to read the server's settings.",
      },
    ]
  }
}

function clockCheck(offsetMs: number, doubtMs: number): Check {
  const apart = Math.abs(offsetMs) - doubtMs
  const detail = `this node is ${(Math.abs(offsetMs) / 1000).toFixed(1)} s ${offsetMs < 0 ? 'ahead of' : 'behind'} the store`
  if (apart <= MOST_APART_MS) return { name: 'clock', ok: true, detail }
  return {
    name: 'clock',
    ok: false,
    detail: `${detail}: tokens expire too ${offsetMs < 0 ? 'early' : 'late'} here, and the times in the audit log are wrong`,
    advice: 'Synchronize the clocks of all nodes and of the database with NTP.',
  }
}

/** The checks for each state of a move to or from this store. */
const MOVES: { readonly [State in NonNullable<Health['store']['move']>]: Check } = {
  leaving: { name: 'move', detail: 'the tokens are being copied to another store; this one still accepts changes' },
  fenced: {
    name: 'move',
    ok: false,
    detail: 'changes are refused here: the tokens are being moved to another store',
    advice: 'Finish the move with copy --step open, or cancel it with copy --step cancel.',
  },
  left: {
    name: 'move',
    ok: false,
    detail: 'the tokens were moved to another store: this one no longer verifies tokens',
    advice: 'Send the traffic to nodes with the new store, and stop this one.',
  },
  arriving: {
    name: 'move',
    ok: false,
    detail: 'the tokens are being copied into this store: it accepts no tokens until the copy is complete',
    advice: 'Continue with copy --step fence and copy --step open, with the configuration of the old store.',
  },
  ready: {
    name: 'move',
    ok: false,
    detail: 'changes are refused here until the move into this store is finished',
    advice: 'Finish it with copy --step open, with the configuration of the old store.',
  },
}

/** Returns the checks from `health()`. If the store is known to fail, the audit log was not read. */
export function healthChecks({ store, feed, consumers, damagedEvents, damagedTokens }: Health, storeAnswers: boolean): readonly Check[] {
  return [
    { name: 'breaker', ok: store.breaker === 'closed', detail: store.breaker },
    ...(store.move === undefined ? [] : [MOVES[store.move]]),
    {
      name: 'feed',
      ok: feed.ok,
      detail: feed.lagSeconds === undefined ? 'not read yet' : `last read to the end ${feed.lagSeconds.toFixed(1)} s ago`,
    },
    wakeUps(feed.wakeUps),
    damageCheck('audit', { what: 'events', damaged: damagedEvents.map(({ id, seq }) => `event ${id} at position ${seq}`) }, storeAnswers),
    damageCheck(
      'tokens',
      {
        what: 'tokens',
        damaged: damagedTokens.map(({ id, fields }) => `token ${id} (${fields.join(', ')})`),
        effect: ' Until then, these tokens are refused, and no list contains them.',
      },
      storeAnswers,
    ),
    ...consumers.map(({ name, lagSeconds, failures }) => ({
      name: `consumer ${name}`,
      ok: failures === 0,
      detail: `${lagSeconds === undefined ? 'position unknown' : `${lagSeconds.toFixed(1)} s behind`}, ${failures} failures`,
      ...((lagSeconds ?? 0) * 1000 > DAY_MS && { advice: forgetting(name) }),
    })),
  ]
}

/** Returns what to do about a consumer that may no longer run. A name that a shell could read as more than a name is not put into a command. */
function forgetting(name: string): string {
  return /^\w[\w.:@-]*$/.test(name)
    ? `If it no longer runs: npx latchkey forget-consumer ${name}`
    : 'If it no longer runs, pass its name to npx latchkey forget-consumer.'
}

type Damage = { readonly what: 'events' | 'tokens'; readonly damaged: readonly string[]; readonly effect?: string }

/** Returns whether all rows that were read are intact. If the store is known to fail, no rows were read. */
function damageCheck(name: string, { what, damaged, effect = '' }: Damage, storeAnswers: boolean): Check {
  if (damaged.length > 0) {
    const advice = `Restore these rows from a backup, and find out who changed them.${effect}`
    return { name, ok: false, detail: `damaged: ${damaged.join(', ')}`, advice }
  }
  return storeAnswers ? { name, ok: true, detail: `the newest ${what} can be read` } : { name, detail: 'not read' }
}

function wakeUps(state: Health['feed']['wakeUps']): Check {
  if (state === undefined) return { name: 'wake-ups', detail: 'this store sends no wake-ups, or none has arrived yet' }
  if (state === 'ok') return { name: 'wake-ups', ok: true, detail: state }
  return {
    name: 'wake-ups',
    ok: false,
    detail: 'lost: changes on other nodes take up to the staleness bound to take effect here',
    advice: 'Let the store keep a separate connection open, bypassing any pooler in transaction mode.',
  }
}

const WITHOUT_PEPPER: Check = {
  name: 'pepper',
  detail: 'not set, or tokens created without one are also valid',
  advice:
    'Introduce one: forged tokens then cost no read, and an attacker who can write to the store cannot plant a token. So that existing tokens keep working, begin with pepper: [false, yourPepper].',
}

/** Checks whether tokens depend on a pepper that is missing from the configuration. Such tokens are refused as if latchkey had never created them. */
function pepperCheck({ settings: { digesters } }: Internals, records: readonly TokenRecord[]): Check {
  const peppers = new Set(digesters.map(({ pepperId }) => pepperId))
  const lost = records.filter(({ pepperId, importedFrom }) => importedFrom === undefined && !peppers.has(pepperId))
  const without = lost.filter(({ pepperId }) => pepperId === undefined).length
  if (lost.length === 0) return peppers.has(undefined) ? WITHOUT_PEPPER : { name: 'pepper', ok: true, detail: 'set' }
  return {
    name: 'pepper',
    ok: false,
    detail: `${lost.length} of the ${records.length} newest tokens are refused, because they were created ${without === lost.length ? 'without a pepper' : 'with a pepper that is not configured'}`,
    advice:
      without > 0
        ? 'If they are still in use, add false to the list in the pepper option.'
        : 'If they are still in use, add that pepper to the list in the pepper option.',
  }
}

const IMPORTS = 'imports'

/** Checks whether imported tokens can be recognized with the configured formats and key. */
async function importsCheck(inside: Internals, records: readonly TokenRecord[]): Promise<readonly Check[]> {
  const { imports } = inside.settings
  const live = records.filter(({ importedFrom, status }) => importedFrom !== undefined && status !== 'revoked' && status !== 'expired')
  const [newest] = live
  if (newest === undefined) return []
  const lost = new Set(live.flatMap(({ importedFrom = '' }) => (formatOf(imports, importedFrom) === undefined ? [importedFrom] : [])))
  if (lost.size > 0) {
    const detail = `imported tokens are refused, because their formats are not configured: ${[...lost].join(', ')}`
    return [{ name: IMPORTS, ok: false, detail, advice: 'If they are still in use, add these formats to the imports option.' }]
  }
  if (!(await isOfOtherKey(inside.store(), imports, newest)))
    return [{ name: IMPORTS, ok: true, detail: 'the key and the formats are set' }]
  const detail = 'imported tokens are refused, because they were imported with a different imports.key'
  return [{ name: IMPORTS, ok: false, detail, advice: 'If they are still in use, restore that key. Otherwise, revoke them.' }]
}

/** Returns the checks of the instance's settings. `records`: the newest tokens. */
export async function settingsChecks(inside: Internals, records: readonly TokenRecord[]): Promise<readonly Check[]> {
  const { retention } = inside.settings
  const days = (ms: number | undefined): string => (ms === undefined ? 'forever' : `${Math.round((ms / DAY_MS) * 10) / 10} days`)
  return [
    pepperCheck(inside, records),
    ...(await importsCheck(inside, records)),
    { name: 'staleness', detail: `a revocation reaches every node within ${inside.readings().maxStalenessSeconds} s` },
    { name: 'kept: audit', detail: days(retention.eventsMs) },
    { name: 'kept: usage', detail: days(retention.usageMs) },
    { name: 'kept: addresses', detail: days(retention.addressesMs) },
    { name: 'kept: ended tokens', detail: days(retention.deadMs) },
  ]
}

/** Checks whether the recorded addresses look like those of clients. The framework's proxy settings are not visible here, but their effect is. */
export function addressCheck(records: readonly TokenRecord[]): Check {
  const name = 'client addresses'
  const seen = records.flatMap(({ lastUsedIp }) => lastUsedIp ?? [])
  const addresses = new Set(seen)
  if (seen.length === 0) return { name, detail: 'no use with an address has been recorded yet' }
  if (seen.length < PROXIED || addresses.size > 1) {
    return { name, detail: `${counted(addresses.size, 'address')} in the last uses of ${counted(seen.length, 'token')}` }
  }
  return {
    name,
    detail: `${seen.length} tokens were all last used from ${[...addresses].join()}, which looks like a proxy`,
    advice:
      "If it is one, configure your framework to trust it: until then, allowed addresses, budgets and the audit log see its address instead of the callers'.",
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : noun === 'address' ? 'es' : 's'}`
}
