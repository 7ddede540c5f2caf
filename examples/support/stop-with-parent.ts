/**
 * Stops the example when the shell that npm started it in is gone, because npm terminates only that shell.
 *
 * Start your own server directly with `node`, so that signals reach it.
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
