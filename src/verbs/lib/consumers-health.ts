import { isOwnRow, isWebhook } from '../../activity/consumer-claim.js'
import { consumerOf, deadLetterOf } from '../../activity/dead-letters.js'
import type { ConsumerHealth } from '../../model/health.js'
import type { Context } from '../../verify/context.js'

/**
 * Reports the health of the consumers of the prefix: those that run on this node and those in the store, whether or not a node is running them. Leaves out
 * facts that the store does not return within the deadline. Never rejects.
 */
export async function consumersHealth(context: Context): Promise<readonly ConsumerHealth[]> {
  const positions = new Map(context.consumers.running.map(({ name, state }) => [name, state.position]))
  const lags = new Map<string, number>()
  const letters = new Map<string, number>()
  await within(context.settings.deadlineMs, readStored(context, positions, lags, letters))
  // Two consumers with the same name on one node are reported as one. Only the one that reads events knows about failures.
  const states = new Map<string, { failures: number; failedMsAgo?: number }>()
  for (const { name, state } of context.consumers.running) {
    const known = states.get(name)
    if (known === undefined || state.failures > known.failures) states.set(name, state)
  }
  return [...positions.keys()].map((name) => {
    const lagMs = lags.get(name)
    const deadLetters = letters.get(name)
    const { failures, failedMsAgo } = states.get(name) ?? { failures: 0 }
    return {
      name,
      ...(lagMs !== undefined && { lagSeconds: lagMs / 1000 }),
      runsHere: states.has(name),
      failures,
      ...(failedMsAgo !== undefined && { lastFailureSecondsAgo: failedMsAgo / 1000 }),
      ...(deadLetters !== undefined && { deadLetters }),
    }
  })
}

/** Adds the stored positions, counts the dead letters, and finds the age of the first event after each position. */
async function readStored(
  context: Context,
  positions: Map<string, number | undefined>,
  lags: Map<string, number>,
  letters: Map<string, number>,
): Promise<void> {
  const { store, settings } = context
  const { prefix } = settings
  const rows = await store.consumers(prefix)
  for (const { name, position } of rows.filter((row) => !isOwnRow(row))) {
    // A consumer that is reading is up to a second ahead of its stored position.
    positions.set(name, Math.max(position, positions.get(name) ?? 0))
  }
  for (const name of positions.keys()) if (isWebhook(name)) letters.set(name, 0)
  for (const letter of rows.map(deadLetterOf)) {
    const name = letter === undefined ? '' : consumerOf(letter.endpoint)
    letters.set(name, (letters.get(name) ?? 0) + 1)
  }
  await Promise.all(
    [...positions].map(async ([name, position]) => {
      if (position === undefined) return
      const [oldest] = await store.events({ prefix, order: 'oldest', after: position, limit: 1 })
      const lag = oldest === undefined ? 0 : Math.max(0, settings.clock() - oldest.at)
      // Unknown while the clock is invalid.
      if (Number.isFinite(lag)) lags.set(name, lag)
    }),
  )
}

/** Waits up to this long for the work, whether it succeeds or fails. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  // The store has already reported the error.
  await Promise.race([work.catch(() => undefined), late])
  clearTimeout(timer)
}
