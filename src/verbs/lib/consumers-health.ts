import type { Consumer } from '../../activity/consumer.js'
import type { ConsumerHealth } from '../../model/health.js'
import type { ConsumerState } from '../../store/port.js'
import type { Context } from '../../verify/context.js'

/** How the consumers of this node are doing. What the store does not say within the deadline is left out. Never rejects. */
export async function consumersHealth(context: Context): Promise<readonly ConsumerHealth[]> {
  const running = context.consumers.running
  if (running.length === 0) return []
  const lags = new Map<string, number>()
  await within(context.settings.deadlineMs, readLags(context, running, lags))
  return running.map(({ name, state }) => {
    const lagMs = lags.get(name)
    return {
      name,
      ...(lagMs !== undefined && { lagSeconds: lagMs / 1000 }),
      failures: state.failures,
      ...(state.failedMsAgo !== undefined && { lastFailureSecondsAgo: state.failedMsAgo / 1000 }),
    }
  })
}

async function readLags(context: Context, running: readonly Consumer[], lags: Map<string, number>): Promise<void> {
  const { store, settings } = context
  const { prefix } = settings
  const stored = await store.consumers(prefix)
  await Promise.all(
    running.map(async (consumer) => {
      const position = positionOf(consumer, stored)
      if (position === undefined) return
      const [oldest] = await store.events({ prefix, order: 'oldest', after: position, limit: 1 })
      lags.set(consumer.name, oldest === undefined ? 0 : Math.max(0, settings.clock() - oldest.at))
    }),
  )
}

// Whoever reads is up to a second ahead of what is stored.
function positionOf({ name, state }: Consumer, stored: readonly ConsumerState[]): number | undefined {
  const saved = stored.find((consumer) => consumer.name === name)?.position
  return saved === undefined ? state.position : Math.max(saved, state.position ?? 0)
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
