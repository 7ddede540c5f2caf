import type { ListedEventHandler } from '../../activity/call-handler.js'
import { Consumer } from '../../activity/consumer.js'
import type { EventConsumer } from '../../model/event.js'
import { generateId } from '../../token/generate.js'
import { platformRandom } from '../../token/random.js'
import type { Context } from '../../verify/context.js'

/** Starts delivering audit events to a handler in the form in which the store keeps them. A consumer resumes where its name last stopped, on any node. */
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
    // Two consumers with the same name on one node count as two holders.
    holder: generateId(platformRandom),
    handler,
    from,
    timeoutMs,
    graceMs: deadlineMs,
    monotonic,
    elapsed: context.elapsed,
    report: context.report,
    reads: context.consumers.reads,
  })
  context.consumers.add(consumer)
  return Object.freeze({ name, stop: () => context.consumers.stop(consumer) })
}
