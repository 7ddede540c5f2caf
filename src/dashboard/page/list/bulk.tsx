import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { useWho } from '../acts/already.js'
import { endToken } from '../acts/end.js'
import { flip } from '../acts/flip.js'
import { RevokeSelected } from '../acts/revoke.js'
import { guard } from '../lib/guard.js'
import { Problem } from '../lib/problem.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { ask, type Question } from '../ui/ask.js'
import { Button } from '../ui/button.js'
import { say } from '../ui/toasts.js'
import { type Failure, Failures, failedText } from './failures.js'

const AT_ONCE = 4

type Props = {
  readonly tokens: readonly Token[]
  /** Tokens that could not be changed stay selected. */
  readonly onDone: (failed: readonly Token[]) => void
  readonly onClear: () => void
}

const STOP: Question = { title: 'bulk.leave.title', text: 'bulk.leave.text', yes: 'bulk.leave.stop', no: 'bulk.leave.stay' }

/** A bulk change in progress. */
type Run = { stopped: boolean }

/** Actions for the selected tokens. A running change continues and is reported even if the selection changes. */
export function Bulk({ tokens, onDone, onClear }: Props): JSX.Element | null {
  const [working, setWorking] = useState<{ done: number; count: number } | undefined>()
  const [revoking, setRevoking] = useState(false)
  const [outcome, setOutcome] = useState<{ done: number; failures: readonly Failure[] } | undefined>()
  const able = (wanted: (token: Token) => boolean): readonly Token[] =>
    tokens.filter((token) => token.status !== 'revoked' && wanted(token))
  const stoppable = able(({ deactivatedAt }) => deactivatedAt === undefined)
  const startable = able(({ deactivatedAt }) => deactivatedAt !== undefined)
  const revocable = able(() => true)

  const who = useWho()
  const present = useRef(true)
  useEffect(
    () => () => {
      present.current = false
    },
    [],
  )

  const each = async (list: readonly Token[], act: (token: Token) => Promise<unknown>): Promise<void> => {
    const run: Run = { stopped: false }
    const release = guard(async () => {
      const yes = await ask(STOP)
      run.stopped ||= yes
      return yes
    })
    setWorking({ done: 0, count: list.length })
    const { done, failures } = await inTurns(list, act, run, (done) => setWorking({ done, count: list.length }))
    release()
    setWorking(undefined)
    if (failures.length > 0 && present.current) return setOutcome({ done, failures })
    const changed = t('bulk.done', { count: done })
    if (failures.length === 0) say(changed)
    else say(done === 0 ? failedText(failures) : `${failedText(failures)}. ${changed}`)
    onDone([])
  }
  const busy = working !== undefined

  if (tokens.length === 0 && !busy && outcome === undefined) return null
  return (
    <div class="bulk" role="region" aria-label={t('list.selected', { count: tokens.length })}>
      <strong role="status">{working ? t('bulk.working', working) : t('list.selected', { count: tokens.length })}</strong>
      <span class="bulk-actions">
        <Button icon="pause" disabled={stoppable.length === 0 || busy} onClick={() => void each(stoppable, (token) => flip(token, who))}>
          {t('action.deactivate')}
        </Button>
        <Button icon="play" disabled={startable.length === 0 || busy} onClick={() => void each(startable, (token) => flip(token, who))}>
          {t('action.activate')}
        </Button>
        <Button kind="danger" icon="ban" disabled={revocable.length === 0 || busy} onClick={() => setRevoking(true)}>
          {t('action.revoke')}
        </Button>
        <Button kind="quiet" disabled={busy} onClick={onClear}>
          {t('bulk.clear')}
        </Button>
      </span>
      {revoking && (
        <RevokeSelected
          tokens={revocable}
          onClose={() => setRevoking(false)}
          onConfirm={(reason) => {
            setRevoking(false)
            void each(revocable, (token) => endToken(token, reason, who))
          }}
        />
      )}
      {outcome && (
        <Failures
          {...outcome}
          onClose={() => {
            setOutcome(undefined)
            onDone(outcome.failures.map(({ token }) => token))
          }}
        />
      )}
    </div>
  )
}

/** Processes all items, a few at a time, even if some fail. After a stop, items in progress are still completed. */
async function inTurns(
  list: readonly Token[],
  act: (token: Token) => Promise<unknown>,
  run: Run,
  told: (tried: number) => void,
): Promise<{ readonly done: number; readonly failures: readonly Failure[] }> {
  const failures: Failure[] = []
  const waiting = [...list]
  let tried = 0
  const worker = async (): Promise<void> => {
    for (let token = waiting.shift(); token !== undefined && !run.stopped; token = waiting.shift()) {
      try {
        await act(token)
      } catch (error) {
        failures.push({ token, problem: Problem.of(error) })
      }
      tried += 1
      told(tried)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return { done: tried - failures.length, failures }
}
