/** The key under which a signal references its controller, which must live as long as the signal. */
const CONTROLLER = Symbol('controller')

/** Some Workers have no weak references. There, a signal is kept until its request is over or its token ends. */
const COLLECTS = typeof WeakRef === 'function' && typeof FinalizationRegistry === 'function'

/** A reference to a controller that does not keep it alive. */
export type ControllerRef = { deref(): AbortController | undefined }

/** Creates a reference that does not keep the controller alive. */
export function refTo(controller: AbortController): ControllerRef {
  return COLLECTS ? new WeakRef(controller) : { deref: () => controller }
}

/** Creates a registry that calls back when a controller has been garbage-collected. Returns `undefined` if the platform cannot report this. */
export function createCollected(): FinalizationRegistry<() => void> | undefined {
  return COLLECTS ? new FinalizationRegistry((forget) => forget()) : undefined
}

/** Called when a signal gets its first listener or loses its last one. */
type OnListeners = (some: boolean) => void

/**
 * Creates a signal that reports whether it has listeners.
 *
 * A signal without listeners and references may be garbage-collected. A signal with a listener must fire even if nothing else references it.
 */
export function createHeldSignal(onListeners: OnListeners): AbortController {
  const controller = new AbortController()
  const { signal } = controller
  const add = signal.addEventListener
  const remove = signal.removeEventListener
  const listeners = new Set<unknown>()
  const forget = (listener: unknown): void => {
    if (listeners.delete(listener) && listeners.size === 0) onListeners(false)
  }
  const own = (value: unknown): PropertyDescriptor => ({ value, writable: true, configurable: true })
  Object.defineProperties(signal, {
    [CONTROLLER]: own(controller),
    addEventListener: own(function addEventListener(...args: Parameters<typeof add>): void {
      const [type, listener, options] = args
      Reflect.apply(add, signal, args)
      if (type !== 'abort' || (typeof listener !== 'function' && typeof listener !== 'object') || listener === null) return
      const until: unknown = Reflect.get(Object(options), 'signal')
      // The platform does not add a listener whose own signal has already fired.
      if (until instanceof AbortSignal && until.aborted) return
      listeners.add(listener)
      onListeners(true)
      if (until instanceof AbortSignal) until.addEventListener('abort', () => forget(listener), { once: true })
    }),
    removeEventListener: own(function removeEventListener(...args: Parameters<typeof remove>): void {
      Reflect.apply(remove, signal, args)
      if (args[0] === 'abort') forget(args[1])
    }),
  })
  return controller
}
