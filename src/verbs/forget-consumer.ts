import { claimMs } from '../activity/consumer-claim.js'
import { isBeside } from '../activity/dead-letters.js'
import { ConflictError } from '../errors.js'
import type { ConsumerVersion } from '../store/port.js'
import type { Context } from '../verify/context.js'
import { readConsumerName } from './consume.js'
import type { ReadActor } from './lib/actor.js'

const LOOK_EVERY_MS = 1_000

/**
 * Removes the position of a consumer that no longer runs, and the dead letters of a webhook. Returns whether anything was removed.
 *
 * A node that crashed leaves its claim behind. As with a takeover, the node counts as dead only after the claim has not moved for its full duration.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws GrantDeniedError `grant_denied`, for an actor that cannot see every event
 * @throws ConflictError `conflict`, while a node is running the consumer
 */
export async function forgetConsumer(context: Context, actor: ReadActor, input: unknown): Promise<boolean> {
  const name = readConsumerName(actor, input)
  const { store, settings, consumers } = context
  let seen: { readonly version: number; readonly at: number } | undefined
  for (;;) {
    if (consumers.running.some((consumer) => consumer.name === name)) throw running(name, 'this node')
    const rows = await store.consumers(settings.prefix)
    const found = rows.find((row) => row.name === name)
    if (found !== undefined) {
      if (seen !== undefined && seen.version !== found.version) throw running(name, 'a node')
      seen ??= { version: found.version, at: settings.monotonic() }
      if (found.holder !== undefined && settings.monotonic() - seen.at < claimMs(found.holder)) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
        continue
      }
      // Either a node has started to run it, or this removal was retried after its response was lost. Another read shows which.
      if (!(await store.removeConsumer(found)) && (await store.consumers(settings.prefix)).some((row) => row.name === name)) {
        throw running(name, 'a node')
      }
    }
    const beside = rows.filter((row) => isBeside(row, name))
    await removeAll(context, beside)
    return found !== undefined || seen !== undefined || beside.length > 0
  }
}

// Rows written since then belong to the node that is running the consumer again.
async function removeAll({ store }: Context, rows: readonly ConsumerVersion[]): Promise<void> {
  for (const row of rows) await store.removeConsumer(row)
}

function running(name: string, where: string): ConflictError {
  return new ConflictError('conflict', `${where} is running the consumer "${name}": stop it everywhere before you forget it`)
}
