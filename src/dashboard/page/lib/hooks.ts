import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { Problem } from './problem.js'

const FIRST_RETRY_MS = 2000
const LAST_RETRY_MS = 60_000
// Browsers fire a timer of more than 2 ** 31 - 1 ms immediately.
const LONGEST_WAIT_MS = 3_600_000

export type Loaded<T> = {
  readonly data: T | undefined
  readonly problem: Problem | undefined
  readonly loading: boolean
  /** When it is retried automatically. */
  readonly retryAt: number | undefined
  readonly reload: () => void
}

type State<T> = { data?: T; problem?: Problem; key?: string; retryAt?: number | undefined }

/**
 * Loads something again whenever `key` changes. Transient failures are retried automatically, less and less often, and immediately when the
 * browser is online again. The old data stays in the meantime; after an error, it stays only if it belongs to the same key.
 */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<State<T>>({})
  const [round, setRound] = useState(0)
  const failures = useRef(0)
  const latest = useRef(load)
  latest.current = load
  const again = useCallback(() => setRound((before) => before + 1), [])
  const reload = useCallback(() => {
    failures.current = 0
    again()
  }, [again])
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    latest.current(abort.signal).then(
      (data) => {
        failures.current = 0
        if (!abort.signal.aborted) setState({ data, key })
      },
      (error: unknown) => {
        if (abort.signal.aborted) return
        const problem = Problem.of(error)
        const wait = problem.transient ? retryMs(problem, failures.current) : undefined
        failures.current += 1
        setState((before) => ({
          ...(before.key === key && before),
          problem,
          key,
          retryAt: wait === undefined ? undefined : Date.now() + wait,
        }))
        if (wait === undefined) return
        timer = setTimeout(again, wait)
        addEventListener('online', again, { signal: abort.signal, once: true })
      },
    )
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [key, round, again])
  const current = state.key === key
  return {
    data: state.data,
    problem: current ? state.problem : undefined,
    loading: !current,
    retryAt: current ? state.retryAt : undefined,
    reload,
  }
}

// Exponential backoff with jitter, so that many pages do not return at the same moment. Never earlier than the server asks,
// but after at most an hour, so that a page never seems dead.
function retryMs({ retryAfter = 0 }: Problem, failures: number): number {
  const wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures)
  return Math.min(LONGEST_WAIT_MS, Math.max(retryAfter * 1000, wait * (0.75 + Math.random() / 2)))
}

/** Returns whether the window is so narrow that tokens are shown as cards. */
export const useNarrow = (): boolean => useMedia('(max-width: 71rem)')

/** Returns whether the table has no room for all of its default columns. */
export const useTight = (): boolean => useMedia('(min-width: 71.01rem) and (max-width: 85rem)')

/** Returns whether there is no room beside a form. */
export const useSingle = (): boolean => useMedia('(max-width: 56rem)')

function useMedia(query: string): boolean {
  const [media] = useState(() => matchMedia(query))
  const [matches, setMatches] = useState(media.matches)
  useEffect(() => {
    const update = (): void => setMatches(media.matches)
    media.addEventListener('change', update)
    return () => media.removeEventListener('change', update)
  }, [media])
  return matches
}

/** Returns a task that runs at most once at a time, and its problem. */
export function useTask(): {
  busy: boolean
  problem: Problem | undefined
  run: (task: () => Promise<void>) => Promise<void>
  clear: () => void
} {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem | undefined>()
  const run = async (task: () => Promise<void>): Promise<void> => {
    if (busy) return
    setBusy(true)
    setProblem(undefined)
    try {
      await task()
    } catch (error) {
      setProblem(Problem.of(error))
    } finally {
      setBusy(false)
    }
  }
  return { busy, problem, run, clear: () => setProblem(undefined) }
}

/** Returns a close function for a dialog whose change may have succeeded without a response. It then also reloads the page's data. */
export function useMaybe(problem: Problem | undefined, onChanged: () => void, close: () => void): () => void {
  const maybe = useRef(false)
  maybe.current ||= problem?.open === true
  return () => {
    if (maybe.current) onChanged()
    close()
  }
}
