import type { Health } from '../model/health.js'
import type { Readings } from '../model/vitals.js'
import type { Context } from '../verify/context.js'

type Answers = { readonly answers: boolean; readonly consumers: Health['consumers'] }

const probes: WeakMap<Context, Promise<Answers>> = new WeakMap()

/**
 * Reports the health of the instance. Reads from the store, with one read shared by all concurrent callers, and looks up the positions of the consumers. Never
 * rejects.
 */
export async function health(context: Context, closed: boolean): Promise<Health> {
  const { store, records, usage, settings } = context
  const { answers, consumers } = closed ? { answers: false, consumers: [] } : await probe(context)
  const { lagMs, wakeUps } = records.follower
  return {
    ok: answers,
    store: { ok: answers, breaker: store.isBreakerOpen ? 'open' : 'closed', ...(store.move !== undefined && { move: store.move }) },
    feed: {
      ok: settings.cache === undefined || records.follower.isFresh() || lagMs === undefined,
      ...(lagMs !== undefined && { lagSeconds: lagMs / 1000 }),
      ...(wakeUps !== undefined && { wakeUps }),
    },
    usage: { pending: usage?.waiting ?? 0, dropped: usage?.dropped ?? 0 },
    damagedEvents: store.damaged.found,
    damagedTokens: store.damagedTokens.found,
    consumers,
  }
}

/** Reports the health of the consumers, as far as the store answers within the deadline. Never rejects. */
export async function consumersOf(context: Context): Promise<Health['consumers']> {
  return (await import('./lib/consumers-health.js')).consumersHealth(context)
}

function probe(context: Context): Promise<Answers> {
  const underWay = probes.get(context)
  if (underWay !== undefined) return underWay
  const answers = context.store.probe().then(
    () => true,
    () => false,
  )
  const started = Promise.all([answers, consumersOf(context)])
    .then(([answers, consumers]) => ({ answers, consumers }))
    .finally(() => probes.delete(context))
  probes.set(context, started)
  return started
}

/** Reports what this process knows about the instance, without any I/O. */
export function readings({ store, records, usage, settings }: Context): Readings {
  const { lagMs } = records.follower
  return {
    store: store.name,
    breakerOpen: store.isBreakerOpen,
    feedLagSeconds: lagMs === undefined ? undefined : lagMs / 1000,
    maxStalenessSeconds: settings.maxStalenessMs / 1000,
    usagePending: usage?.waiting ?? 0,
    usageDropped: usage?.dropped ?? 0,
    usageBatches: usage?.batches ?? 0,
    usageRows: usage?.rows ?? 0,
  }
}
