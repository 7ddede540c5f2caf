import { useEffect, useRef } from 'preact/hooks'
import { guard } from '../lib/guard.js'
import { ask, DISCARD, type Question } from './ask.js'

/** Asks before unsaved input is lost, however the user leaves. The returned function stops this immediately, for example after saving. */
export function useGuard(active: boolean, question: Question = DISCARD): () => void {
  const release = useRef(() => {})
  useEffect(() => {
    if (!active) return
    release.current = guard(() => ask(question))
    return () => release.current()
  }, [active, question])
  return () => release.current()
}

/** Like `useGuard`. Returns a close function, which asks only if something would be lost. */
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

/** Returns a close function that does nothing while busy, because the pending response shows a token that is shown only once. */
export function useHeldClose(busy: boolean, close: () => void): () => void {
  useEffect(() => (busy ? guard(() => Promise.resolve(false)) : undefined), [busy])
  return () => {
    if (!busy) close()
  }
}
