/** The key under which a signal references its controller, which must live as long as the signal. */
const CONTROLLER = Symbol('controller')

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
      listeners.add(listener)
      onListeners(true)
      const until: unknown = typeof options === 'object' ? options.signal : undefined
      if (until instanceof AbortSignal) until.addEventListener('abort', () => forget(listener), { once: true })
    }),
    removeEventListener: own(function removeEventListener(...args: Parameters<typeof remove>): void {
      Reflect.apply(remove, signal, args)
      if (args[0] === 'abort') forget(args[1])
    }),
  })
  return controller
}
