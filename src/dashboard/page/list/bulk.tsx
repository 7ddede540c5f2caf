import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { RevokeSelected } from '../acts/revoke.js'
import { call } from '../lib/api.js'
import { Problem } from '../lib/problem.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { Button } from '../ui/button.js'
import { say } from '../ui/toasts.js'
import { type Failure, Failures } from './failures.js'

const AT_ONCE = 4

type Props = {
  readonly tokens: readonly Token[]
  /** Tokens that could not be changed stay selected. */
  readonly onDone: (failed: readonly Token[]) => void
  readonly onClear: () => void
}

/** Actions for the selected tokens. */
export function Bulk({ tokens, onDone, onClear }: Props): JSX.Element {
  const [working, setWorking] = useState<{ done: number; count: number } | undefined>()
  const [revoking, setRevoking] = useState(false)
  const [outcome, setOutcome] = useState<{ done: number; failures: readonly Failure[] } | undefined>()
  const able = (wanted: (token: Token) => boolean): readonly Token[] =>
    tokens.filter((token) => token.status !== 'revoked' && wanted(token))
  const stoppable = able(({ deactivatedAt }) => deactivatedAt === undefined)
  const startable = able(({ deactivatedAt }) => deactivatedAt !== undefined)
  const revocable = able(() => true)

  const each = async (list: readonly Token[], act: (token: Token) => Promise<unknown>): Promise<void> => {
    setWorking({ done: 0, count: list.length })
    const failures = await inTurns(list, act, (done) => setWorking({ done, count: list.length }))
    setWorking(undefined)
    if (failures.length > 0) return setOutcome({ done: list.length - failures.length, failures })
    say(t('bulk.done', { count: list.length }))
    onDone([])
  }
  const lifecycle = (verb: 'activate' | 'deactivate') => (token: Token) => call('POST', `${token.id}/${verb}`, { version: token.version })
  const busy = working !== undefined

  return (
    <div class="bulk" role="region" aria-label={t('list.selected', { count: tokens.length })}>
      <strong role="status">{working ? t('bulk.working', working) : t('list.selected', { count: tokens.length })}</strong>
      <span class="bulk-actions">
        <Button icon="pause" disabled={stoppable.length === 0 || busy} onClick={() => void each(stoppable, lifecycle('deactivate'))}>
          {t('action.deactivate')}
        </Button>
        <Button icon="play" disabled={startable.length === 0 || busy} onClick={() => void each(startable, lifecycle('activate'))}>
          {t('action.activate')}
        </Button>
        <Button kind="danger" icon="ban" disabled={revocable.length === 0 || busy} onClick={() => setRevoking(true)}>
          {t('action.revoke')}
        </Button>
        <Button kind="quiet" onClick={onClear}>
          {t('bulk.clear')}
        </Button>
      </span>
      {revoking && (
        <RevokeSelected
          tokens={revocable}
          onClose={() => setRevoking(false)}
          onConfirm={(reason) => {
            setRevoking(false)
            void each(revocable, (token) => call('POST', `${token.id}/revoke`, { body: reason === '' ? {} : { reason } }))
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

/** A few at once, all of them, whatever fails. */
async function inTurns(
  list: readonly Token[],
  act: (token: Token) => Promise<unknown>,
  told: (done: number) => void,
): Promise<readonly Failure[]> {
  const failures: Failure[] = []
  const waiting = [...list]
  let done = 0
  const worker = async (): Promise<void> => {
    for (let token = waiting.shift(); token !== undefined; token = waiting.shift()) {
      try {
        await act(token)
      } catch (error) {
        failures.push({ token, problem: Problem.of(error) })
      }
      done += 1
      told(done)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return failures
}
