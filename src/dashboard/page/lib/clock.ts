import { useEffect, useState } from 'preact/hooks'

const SLOW_MS = 15_000
const FAST_MS = 1000

type Clock = { readonly listeners: Set<() => void>; readonly ms: number; stop?: () => void }

/** One timer for all components with the same pace, because each row of a list shows several times. */
const slow: Clock = { listeners: new Set(), ms: SLOW_MS }
const fast: Clock = { listeners: new Set(), ms: FAST_MS }

function follow(clock: Clock, update: () => void): () => void {
  clock.listeners.add(update)
  if (clock.listeners.size === 1) start(clock)
  return () => {
    clock.listeners.delete(update)
    if (clock.listeners.size === 0) clock.stop?.()
  }
}

function start(clock: Clock): void {
  const tick = (): void => {
    for (const listener of clock.listeners) listener()
  }
  const timer = setInterval(tick, clock.ms)
  // Timers are suspended in a hidden tab.
  document.addEventListener('visibilitychange', tick)
  clock.stop = () => {
    clearInterval(timer)
    document.removeEventListener('visibilitychange', tick)
  }
}

/** Returns the current time. Rerenders every 15 seconds, or every second for a countdown. */
export function useNow(isFast = false): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => follow(isFast ? fast : slow, () => setNow(Date.now())), [isFast])
  return now
}
