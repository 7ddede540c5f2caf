import { consumerOf, deadLetterOf, isWebhook } from '../../activity/dead-letters.js'
import type { ConsumerHealth } from '../../model/health.js'
import type { ConsumerState } from '../../store/port.js'
import type { Context } from '../../verify/context.js'

/**
 * How the consumers of the prefix are doing: those that run on this node, and those that the store knows of, whichever node reads for them or none.
 * What the store does not say within the deadline is left out. Never rejects.
 */
export async function consumersHealth(context: Context): Promise<readonly ConsumerHealth[]> {
  const positions = new Map(context.consumers.running.map(({ name, state }) => [name, state.position]))
  const lags = new Map<string, number>()
  const letters = new Map<string, number>()
  await within(context.settings.deadlineMs, readStored(context, positions, lags, letters))
  // Two consumers of one name on one node are one consumer. Whichever reads knows of its failures.
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

/** Adds what the store knows to the positions, counts the dead letters, and finds out how old the first event behind each position is. */
async function readStored(
  context: Context,
  positions: Map<string, number | undefined>,
  lags: Map<string, number>,
  letters: Map<string, number>,
): Promise<void> {
  const { store, settings } = context
  const { prefix } = settings
  const rows = await store.consumers(prefix)
  for (const { name, position } of rows.filter(isConsumer)) {
    // Whoever reads is up to a second ahead of what is stored.
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
      lags.set(name, oldest === undefined ? 0 : Math.max(0, settings.clock() - oldest.at))
    }),
  )
}

/** The other rows are of latchkey's own work. */
function isConsumer({ name }: ConsumerState): boolean {
  return !name.startsWith('.')
}

/** Waits for the work as long as that, whatever becomes of it. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  // The store has told of it.
  await Promise.race([work.catch(() => undefined), late])
  clearTimeout(timer)
}
