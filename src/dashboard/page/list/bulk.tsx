import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { RevokeSelected } from '../acts/revoke.js'
import { call, Problem } from '../lib/api.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { Button } from '../ui/bits.js'
import { say } from '../ui/toasts.js'

const AT_ONCE = 4

/** What can be done with the tokens that are selected. */
export function Bulk({
  tokens,
  onDone,
  onClear,
}: {
  readonly tokens: readonly Token[]
  readonly onDone: () => void
  readonly onClear: () => void
}): JSX.Element {
  const [working, setWorking] = useState<{ done: number; count: number } | undefined>()
  const [revoking, setRevoking] = useState(false)
  const able = (wanted: (token: Token) => boolean): readonly Token[] =>
    tokens.filter((token) => token.status !== 'revoked' && wanted(token))
  const stoppable = able(({ deactivatedAt }) => deactivatedAt === undefined)
  const startable = able(({ deactivatedAt }) => deactivatedAt !== undefined)
  const revocable = able(() => true)

  const each = async (list: readonly Token[], act: (token: Token) => Promise<unknown>): Promise<void> => {
    setWorking({ done: 0, count: list.length })
    const failures = await inTurns(list, act, (done) => setWorking({ done, count: list.length }))
    setWorking(undefined)
    const [first] = failures
    if (first === undefined) say(t('bulk.done', { count: list.length }))
    else say(t('bulk.some', { count: list.length - failures.length, failed: failures.length, reason: first.message }))
    onDone()
  }
  const lifecycle = (verb: 'activate' | 'deactivate') => (token: Token) => call('POST', `${token.id}/${verb}`, { version: token.version })

  return (
    <div class="bulk" role="region" aria-label={t('list.selected', { count: tokens.length })}>
      <strong role="status">{working ? t('bulk.working', working) : t('list.selected', { count: tokens.length })}</strong>
      <span class="bulk-actions">
        <Button
          icon="pause"
          disabled={stoppable.length === 0 || working !== undefined}
          onClick={() => void each(stoppable, lifecycle('deactivate'))}
        >
          {t('action.deactivate')}
        </Button>
        <Button
          icon="play"
          disabled={startable.length === 0 || working !== undefined}
          onClick={() => void each(startable, lifecycle('activate'))}
        >
          {t('action.activate')}
        </Button>
        <Button kind="danger" icon="ban" disabled={revocable.length === 0 || working !== undefined} onClick={() => setRevoking(true)}>
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
    </div>
  )
}

/** A few at once, all of them, whatever fails. */
async function inTurns<T>(
  list: readonly T[],
  act: (item: T) => Promise<unknown>,
  told: (done: number) => void,
): Promise<readonly Problem[]> {
  const failures: Problem[] = []
  const waiting = [...list]
  let done = 0
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      try {
        await act(item)
      } catch (error) {
        failures.push(error instanceof Problem ? error : new Problem(0, { detail: String(error) }))
      }
      done += 1
      told(done)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return failures
}
