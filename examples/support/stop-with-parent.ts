/**
 * Stops the example once the shell that npm put before it is gone: npm ends only that one when it is told to end.
 *
 * A server of your own is better started by `node` itself, so that a signal reaches it.
 */
export function stopWithParent(stop: () => void): void {
  if (process.env.npm_lifecycle_event !== 'start') return
  const parent = process.ppid
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    stop()
  }, 500)
  timer.unref()
}
