import { randomUUID } from 'node:crypto'
import { LatchkeyError, StoreMovingError } from '../../../src/errors.js'
import type { StoredEvent } from '../../../src/model/event.js'
import { ownFields } from '../../../src/model/own-fields.js'
import { LONGEST_FILTER } from '../../../src/store/feed-filters.js'
import type { BulkResult, RevocationStamp, TokenFilter } from '../../../src/store/port.js'
import type { Connection } from './connection.js'
import { decodeEvent, encodeEvent, encodeFilter, flagOf, listOf, unexpected } from './encode.js'
import { indexFilter } from './filter.js'
import { eventIndex } from './keys.js'
import { scripts } from './scripts.js'
import type { FeedPlace } from './tokens.js'

/** How a bulk revocation is split into scripts, so that none blocks the server for long. */
type BulkSteps = {
  /** Up to this many candidates are revoked in one script; more become a job. */
  readonly atOnce: number
  /** How many tokens one step of a job writes. */
  readonly stepSize: number
  /** How many steps the caller waits for before the rest continues in the background. */
  readonly awaited: number
}

const STEPS: BulkSteps = { atOnce: 2_000, stepSize: 500, awaited: 20 }

/** Bulk revocations, and the completion of those that are too large for one script. */
export type Bulk = {
  revoke(filter: TokenFilter, stamp: RevocationStamp, event: StoredEvent): Promise<BulkResult>
  /** Continues a pending job, unless this instance is already working on it. */
  resume(): void
  /** Completes a pending job, and waits for it. */
  settle(): Promise<void>
  /** Stops the current job. The next user of the store continues it. */
  stop(): Promise<void>
}

export function createBulk(
  connection: Connection,
  { history, channel }: FeedPlace,
  { atOnce, stepSize, awaited }: BulkSteps = STEPS,
): Bulk {
  let driving: Promise<void> | undefined
  let stopped = false

  const step = async (): Promise<boolean> => flagOf(await connection.run(scripts.drive, [stepSize]))

  async function drive(): Promise<void> {
    while (!stopped && (await step()));
  }

  function resume(): void {
    stopped = false
    // After a failure, the next user of the store continues the job, so it is safe to ignore the failure here.
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
    const { tenantId: _, count: __, salt = '', ...rest } = ownFields(event)
    const said = ownFields(rest)
    const [id, , indexes] = encodeEvent(said)
    const body = JSON.stringify({ ...said, id: undefined })
    const { entry, inParts } = encodeFilter(filter)
    // The script inserts the tenant.
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
      `b${entry}`,
      lead,
      salt,
      JSON.stringify(filter.prefix),
      inParts ? LONGEST_FILTER : 0,
    ]
    for (;;) {
      const [outcome, count, ...bodies] = listOf(await connection.run(scripts.revoke, args))
      if (outcome === 'known') throw new LatchkeyError('conflict', 'redis: an event with this ID already exists, so nothing was revoked')
      if (outcome === 'fenced') throw new StoreMovingError()
      if (outcome === 'busy') {
        await settle()
        continue
      }
      if (outcome === 'job') await begin()
      else if (outcome !== 'done') throw unexpected()
      return { count: Number(count), events: bodies.map(decodeEvent) }
    }
  }

  /** The revocation is already in effect, so a later failure must not be reported as a failure of the revocation. */
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
