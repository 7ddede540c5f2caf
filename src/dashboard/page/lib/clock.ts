import { useEffect, useState } from 'preact/hooks'

const SLOW_MS = 15_000
const FAST_MS = 1000

/** The current time. Rerenders every 15 seconds, or every second for a countdown. */
export function useNow(fast = false): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const update = (): void => setNow(Date.now())
    const timer = setInterval(update, fast ? FAST_MS : SLOW_MS)
    // Timers are suspended in a hidden tab.
    document.addEventListener('visibilitychange', update)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', update)
    }
  }, [fast])
  return now
}
