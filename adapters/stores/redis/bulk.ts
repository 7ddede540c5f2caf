import { randomUUID } from 'node:crypto'
import { LatchkeyError, StoreMovingError, StoreUnavailableError } from '../../../src/errors.js'
import type { StoredEvent } from '../../../src/model/event.js'
import type { BulkResult, RevocationStamp, TokenFilter } from '../../../src/store/port.js'
import type { Connection } from './connection.js'
import { decodeEvent, encodeEvent, encodeFilter, listOf } from './encode.js'
import { indexFilter } from './filter.js'
import { eventIndex } from './keys.js'
import { scripts } from './scripts.js'
import type { FeedPlace } from './tokens.js'

/** How a bulk revocation is cut into scripts, so that none holds the server up. */
type BulkSteps = {
  /** Up to this many candidates are revoked in one script; more become a job. */
  readonly atOnce: number
  /** How many tokens one step of a job writes. */
  readonly stepSize: number
  /** How many steps the caller waits for before the rest goes on behind its back. */
  readonly awaited: number
}

const STEPS: BulkSteps = { atOnce: 2_000, stepSize: 500, awaited: 20 }

/** Bulk revocations, and the writing out of those that were too large for one script. */
export type Bulk = {
  revoke(filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): Promise<BulkResult>
  /** Writes out a pending one, unless that is under way here already. */
  resume(): void
  /** Writes out a pending one, and waits for that. */
  settle(): Promise<void>
  /** Leaves the rest of what is under way here to whoever touches the store next. */
  stop(): Promise<void>
}

export function createBulk(
  connection: Connection,
  { history, channel }: FeedPlace,
  { atOnce, stepSize, awaited }: BulkSteps = STEPS,
): Bulk {
  let driving: Promise<void> | undefined
  let stopped = false

  const step = async (): Promise<boolean> => Number(await connection.run(scripts.drive, [stepSize])) === 1

  async function drive(): Promise<void> {
    while (!stopped && (await step()));
  }

  function resume(): void {
    stopped = false
    // Whoever touches the store next goes on after a failure, so that nothing is lost by ignoring one here.
    driving ??= drive()
      .catch(() => {})
      .finally(() => {
        driving = undefined
      })
  }

  async function settle(): Promise<void> {
    while (await step());
  }

  async function revoke(filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): Promise<BulkResult> {
    const call = randomUUID()
    const spec = JSON.stringify({ ...indexFilter(filter), stamp: JSON.stringify(stamp), at: String(stamp.revokedAt) })
    const { tenantId: _, count: __, salt = '', ...said } = event
    const [id, , indexes] = encodeEvent(said)
    const body = JSON.stringify({ ...said, id: undefined })
    // The script puts the tenant in.
    const lead = eventIndex(filter.prefix, 'tenant', '').slice(0, -'""]'.length)
    const args = [
      spec,
      id,
      body,
      indexes,
      history,
      channel,
      atOnce,
      call,
      `b${encodeFilter(filter)}`,
      lead,
      salt,
      JSON.stringify(filter.prefix),
    ]
    for (;;) {
      const [outcome, count, ...bodies] = listOf(await connection.run(scripts.revoke, args))
      if (outcome === 'known') throw new LatchkeyError('conflict', 'redis: there is an event with this id already, and nothing was revoked')
      if (outcome === 'fenced') throw new StoreMovingError()
      if (outcome === 'busy') {
        await settle()
        continue
      }
      if (outcome === 'job') await begin()
      else if (outcome !== 'done') throw new StoreUnavailableError('redis: the client answered something unexpected')
      return { count: Number(count), events: bodies.map(decodeEvent) }
    }
  }

  /** The revocation is in force already: a failure from here on must not look as if it were not. */
  async function begin(): Promise<void> {
    try {
      for (let steps = 0; steps < awaited; steps += 1) if (!(await step())) return
    } catch {
      return
    }
    resume()
  }

  async function stop(): Promise<void> {
    stopped = true
    await driving
  }

  return { revoke, resume, settle, stop }
}
