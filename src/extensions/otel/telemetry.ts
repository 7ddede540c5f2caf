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

/** The instrumentation scope of all metrics. */
const SCOPE = 'latchkey'

/** Options of `telemetry`. */
export type TelemetryOptions = {
  /**
   * Adds the token's ID and tenant to the active span when it is accepted, and the code when it is refused. Finding that span takes about a tenth of
   * the time of a warm verification. @default false
   */
  readonly spans?: boolean
  /** With `spans`: also adds the token's owner to the span, as `user.id`. This is personal data. @default false */
  readonly owner?: boolean
}

/** The telemetry of one instance. */
export type Telemetry = {
  /** Stops reporting. */
  stop(): void
}

const shape = objectOf({ spans: flag.default(false), owner: flag.default(false) })

const running: WeakMap<Internals, Telemetry> = new WeakMap()

/**
 * Reports an instance to OpenTelemetry: its decisions, and the state of its store, cache, feed and counters. Does nothing if the process has no SDK.
 *
 * Call it after the SDK has started, because meters come from the global provider. A second call for the same instance replaces the first.
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
  // Polls and flushes may start during a request but do not belong to its trace.
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
