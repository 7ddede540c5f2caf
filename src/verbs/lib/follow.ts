import type { ListedEventHandler } from '../../activity/call-handler.js'
import { Consumer } from '../../activity/consumer.js'
import type { EventConsumer } from '../../model/event.js'
import { generateId } from '../../token/generate.js'
import { platformRandom } from '../../token/random.js'
import type { Context } from '../../verify/context.js'

/** Begins to hand the audit events to a handler, as the store keeps them, from where this name stopped on whichever node. */
export function follow(
  context: Context,
  name: string,
  handler: ListedEventHandler,
  { from, timeoutMs }: { readonly from: 'start' | 'now'; readonly timeoutMs: number },
): EventConsumer {
  const { prefix, deadlineMs, monotonic } = context.settings
  const consumer = new Consumer(context.store, {
    prefix,
    name,
    // Two consumers of one name on one node are two as well.
    holder: generateId(platformRandom),
    handler,
    from,
    timeoutMs,
    graceMs: deadlineMs,
    monotonic,
    report: context.report,
    reads: context.consumers.reads,
  })
  context.consumers.add(consumer)
  return Object.freeze({ name, stop: () => context.consumers.stop(consumer) })
}
