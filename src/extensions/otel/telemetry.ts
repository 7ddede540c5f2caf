import { context, metrics, ROOT_CONTEXT } from '@opentelemetry/api'
import { InvalidInputError } from '../../errors.js'
import { type Internals, internalsOf, type Latchkey } from '../../instance.js'
import { flag } from '../../policy/option-kinds.js'
import { objectOf, readOption } from '../../policy/option-reader.js'
import { keepApart } from '../../store/timer.js'
import { observe } from './observe.js'
import { observeConsumers } from './observe-consumers.js'
import { annotateSpans } from './spans.js'
import { timeStore } from './store-duration.js'

/** The scope under which everything is reported. */
const SCOPE = 'latchkey'

/** How `telemetry` works. */
export type TelemetryOptions = {
  /**
   * Put the token's id and tenant on the span that is active when it is let in, and the code on the one where it is refused? Finding that span takes
   * about a tenth of the time of a warm verification. @default false
   */
  readonly spans?: boolean
  /** With `spans`: put the token's owner on the span too, as `user.id`? Owners are people. @default false */
  readonly owner?: boolean
}

/** Telemetry of one instance. */
export type Telemetry = {
  /** Reports no more. */
  stop(): void
}

const shape = objectOf({ spans: flag.default(false), owner: flag.default(false) })

const running: WeakMap<Internals, Telemetry> = new WeakMap()

/**
 * Reports an instance to OpenTelemetry: what it decides, and how its store, cache, feed and counters do. Does nothing where the process has no SDK.
 *
 * Call it after the SDK was started: meters come from the global provider. A second call for the same instance ends the first.
 *
 * @throws InvalidInputError `invalid_input`
 * @example
 * ```ts
 * import { telemetry } from 'latchkey/otel'
 *
 * telemetry(tokens)
 * ```
 */
export function telemetry<S extends string>(tokens: Latchkey<S>, options: TelemetryOptions = {}): Telemetry {
  const inside = internalsOf(tokens)
  const { spans, owner } = readOption(shape, options, 'options')
  if (owner && !spans) throw new InvalidInputError('owner', 'needs spans: true')
  running.get(inside)?.stop()
  // Polls and flushes begin within some request, and are none of its work.
  keepApart((run) => context.with(ROOT_CONTEXT, run))
  const meter = metrics.getMeter(SCOPE)
  const common = { 'latchkey.prefix': tokens.prefix }
  const ends = [
    observe(meter, inside, common),
    observeConsumers(meter, () => inside.consumers(), common),
    timeStore(meter, inside, common),
    ...(spans ? [annotateSpans(inside, owner)] : []),
  ]
  const started: Telemetry = Object.freeze({
    stop() {
      if (running.get(inside) !== started) return
      running.delete(inside)
      for (const end of ends) end()
    },
  })
  running.set(inside, started)
  return started
}
