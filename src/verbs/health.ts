import type { Health } from '../model/health.js'
import type { Context } from '../verify/context.js'

const probes: WeakMap<Context, Promise<boolean>> = new WeakMap()

/** How the instance is doing. Asks the store for one read, which all who ask at the same time share. Never rejects. */
export async function health(context: Context, closed: boolean): Promise<Health> {
  const { store, records, usage, settings } = context
  const answers = !closed && (await probe(context))
  const { lagMs, fresh } = records.follower
  return {
    ok: answers,
    store: { ok: answers, breaker: store.isBreakerOpen ? 'open' : 'closed' },
    feed: {
      ok: settings.cache === undefined || fresh || lagMs === undefined,
      ...(lagMs !== undefined && { lagSeconds: lagMs / 1000 }),
    },
    usage: { pending: usage?.waiting ?? 0, dropped: usage?.dropped ?? 0 },
  }
}

function probe(context: Context): Promise<boolean> {
  const underWay = probes.get(context)
  if (underWay !== undefined) return underWay
  const started = context.store
    .probe()
    .then(
      () => true,
      () => false,
    )
    .finally(() => probes.delete(context))
  probes.set(context, started)
  return started
}
