/** The key under which a signal keeps its controller alive: who holds one needs the other. */
const CONTROLLER = Symbol('controller')

/** Told that somebody waits for a signal, or that nobody does any more. */
type OnListeners = (some: boolean) => void

/**
 * Makes a signal that tells whether anybody listens to it.
 *
 * One that nobody listens to, and nobody holds, may be collected; one that somebody listens to must fire, whoever holds it.
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
