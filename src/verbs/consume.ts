import { isWebhook } from '../activity/consumer-claim.js'
import { viewEvent } from '../activity/view-event.js'
import { InvalidInputError } from '../errors.js'
import type { EventConsumer, EventHandler } from '../model/event.js'
import { duration } from '../policy/option-kinds.js'
import { objectOf, oneOf, readOption } from '../policy/option-reader.js'
import type { Context } from '../verify/context.js'
import { checkSeesAll, type ReadActor } from './lib/actor.js'
import { follow } from './lib/follow.js'

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,59}$/
const DEFAULT_TIMEOUT_SECONDS = 60

const reader = objectOf({
  from: oneOf(['start', 'now'], "must be 'start' or 'now'").default('start'),
  timeout: duration({ min: 1, max: 3600 }).default(DEFAULT_TIMEOUT_SECONDS),
})

/**
 * Starts delivering audit events to a handler. A consumer resumes where its name last stopped, on any node.
 *
 * @throws InvalidInputError `invalid_input`, for an invalid name, handler or option
 * @throws GrantDeniedError `grant_denied`, for an actor that cannot see every event
 */
export function consume(context: Context, actor: ReadActor, name: unknown, handler: unknown, options: unknown): EventConsumer {
  const read = readConsumerName(actor, name)
  if (isWebhook(read)) throw new InvalidInputError('name', 'must not begin with "webhook:", which is reserved for webhook endpoints')
  if (typeof handler !== 'function') throw new InvalidInputError('handler', 'must be a function that accepts one event')
  const { from, timeout } = readOption(reader, options === undefined ? {} : options, 'consume()')
  const handle = handler as EventHandler
  return follow(context, read, (event, { signal }) => handle(viewEvent(event), { signal }), { from, timeoutMs: timeout * 1000 })
}

/**
 * Validates a consumer name and checks that the actor may run consumers.
 *
 * @throws InvalidInputError `invalid_input`
 * @throws GrantDeniedError `grant_denied`
 */
export function readConsumerName(actor: ReadActor, name: unknown): string {
  checkSeesAll(actor, 'a consumer')
  if (typeof name === 'string' && NAME.test(name)) return name
  throw new InvalidInputError('name', 'must be a name such as "siem": 1 to 60 letters, digits, "-", "_", "." and ":"')
}
