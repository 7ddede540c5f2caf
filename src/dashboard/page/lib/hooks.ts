import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { Problem } from './api.js'

const RETRY_MS = 4000

export type Loaded<T> = {
  readonly data: T | undefined
  readonly problem: Problem | undefined
  readonly loading: boolean
  readonly reload: () => void
}

/** Loads something anew whenever `key` changes; what could not be decided is tried again by itself. The old data stays meanwhile. */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ data?: T; problem?: Problem; key?: string }>({})
  const [round, setRound] = useState(0)
  const latest = useRef(load)
  latest.current = load
  const reload = useCallback(() => setRound((before) => before + 1), [])
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    latest.current(abort.signal).then(
      (data) => abort.signal.aborted || setState({ data, key }),
      (error: unknown) => {
        if (abort.signal.aborted) return
        const problem = error instanceof Problem ? error : new Problem(0, { detail: String(error) })
        setState((before) => ({ ...before, problem, key }))
        if (problem.transient) timer = setTimeout(reload, RETRY_MS)
      },
    )
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [key, round, reload])
  return { data: state.data, problem: state.key === key ? state.problem : undefined, loading: state.key !== key, reload }
}

/** Is the window narrow? */
export function useNarrow(): boolean {
  const [media] = useState(() => matchMedia('(max-width: 860px)'))
  const [narrow, setNarrow] = useState(media.matches)
  useEffect(() => {
    const update = (): void => setNarrow(media.matches)
    media.addEventListener('change', update)
    return () => media.removeEventListener('change', update)
  }, [media])
  return narrow
}

/** Something that is done once at a time, with what went wrong. */
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
      setProblem(error instanceof Problem ? error : new Problem(0, { detail: String(error) }))
    } finally {
      setBusy(false)
    }
  }
  return { busy, problem, run, clear: () => setProblem(undefined) }
}
