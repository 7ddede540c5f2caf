import { useEffect, useRef } from 'preact/hooks'
import { guard } from '../lib/guard.js'
import { ask, DISCARD, type Question } from './ask.js'

/** Asks before something is lost, however people leave. The answer lets go of it at once, as for what was saved. */
export function useGuard(active: boolean, question: Question = DISCARD): () => void {
  const release = useRef(() => {})
  useEffect(() => {
    if (!active) return
    release.current = guard(() => ask(question))
    return () => release.current()
  }, [active, question])
  return () => release.current()
}

/** The same, and how to close: at once where nothing would be lost. */
export function useGuardedClose(active: boolean, close: () => void, question: Question = DISCARD): () => void {
  const release = useGuard(active, question)
  return () => {
    if (!active) return close()
    void ask(question).then((yes) => {
      if (!yes) return
      release()
      close()
    })
  }
}

/** How to close what waits for an answer that is shown once: not before it has come, since whoever leaves then never sees it. */
export function useHeldClose(busy: boolean, close: () => void): () => void {
  useEffect(() => (busy ? guard(() => Promise.resolve(false)) : undefined), [busy])
  return () => {
    if (!busy) close()
  }
}
