import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { call, type Query } from '../lib/api.js'
import { useLoad, useMaybe, useTask } from '../lib/hooks.js'
import { type Kind, useChoices, useLabel } from '../lib/names.js'
import { t } from '../lib/text.js'
import type { Page, Token } from '../lib/types.js'
import { useWorld } from '../lib/world.js'
import { Banner } from '../ui/banner.js'
import { Button } from '../ui/button.js'
import { Dialog } from '../ui/dialog.js'
import { Pills, TextField } from '../ui/fields.js'
import { useGuardedClose } from '../ui/leave.js'
import { Maybe, ProblemLine, suggestionHint } from '../ui/problem.js'
import { say } from '../ui/toasts.js'
import { Together } from './together.js'

type Props = { readonly of: string | undefined; readonly onClose: () => void; readonly onDone: () => void }
type Group = { readonly tokens: readonly Token[]; readonly more: boolean }

const PAGES = 10
const PAUSE_MS = 250
/** The word to type is never sent, so nothing is cut from it, even if it looks like a token. */
const asTyped = (text: string): string => text

/** Revokes all tokens of a tenant, of an owner, or everywhere. Shows their number, and requires the word to be typed. */
export function RevokeAll({ of, onClose, onDone }: Props): JSX.Element {
  const { tenants } = useWorld().me
  const [before] = useState(of ?? (tenants !== '*' && tenants.length === 1 ? (tenants[0] ?? '') : ''))
  const [which, setWhich] = useState<'client' | 'owner' | 'everywhere'>('client')
  const [tenant, setTenant] = useState(before)
  const [owner, setOwner] = useState('')
  const [typed, setTyped] = useState('')
  const [reason, setReason] = useState('')
  const { busy, problem, run } = useTask()
  const leave = useMaybe(problem, onDone, onClose)
  const close = useGuardedClose(!busy && (tenant !== before || owner !== '' || typed !== '' || reason !== ''), leave)
  const tenantId = which === 'client' ? tenant.trim() : undefined
  const ownerId = which === 'owner' ? owner.trim() : undefined
  const asked = tenantId !== '' && ownerId !== ''
  const filter = { ...(tenantId !== undefined && { tenantId }), ...(ownerId !== undefined && { ownerId }) }
  const counted = useLoad(JSON.stringify(filter), (signal) => (asked ? loadAlive(filter, signal) : Promise.resolve(undefined)))
  // An outdated number is not shown.
  const group = counted.loading || counted.problem !== undefined ? undefined : counted.data
  const word = tenantId ?? ownerId ?? t('revokeAll.word')
  const ready = asked && group !== undefined && group.tokens.length > 0 && typed === word

  const revoke = (): Promise<void> =>
    run(async () => {
      if (!ready) return
      const which = Object.keys(filter).length === 0 ? { all: true } : filter
      const done = await call<{ count: number }>('POST', 'revoke-all', { body: { ...which, ...(reason !== '' && { reason }) } })
      say(t('revokeAll.done', { count: done.count }))
      onClose()
      onDone()
    })
  return (
    <Dialog
      title={t('revokeAll.title')}
      onClose={close}
      footer={
        <>
          <Button onClick={close}>{t('action.cancel')}</Button>
          <Button kind="danger" icon="ban" disabled={!ready} busy={busy} onClick={() => void revoke()}>
            {t('revokeAll.confirm')}
          </Button>
        </>
      }
    >
      <p>{t('revokeAll.text')}</p>
      <Pills
        legend={t('revokeAll.which')}
        value={which}
        options={[
          { value: 'client', label: t('revokeAll.client') },
          { value: 'owner', label: t('revokeAll.owner') },
          { value: 'everywhere', label: t('revokeAll.everywhere') },
        ]}
        onChange={(value) => {
          setWhich(value)
          setTyped('')
        }}
        hint={which === 'everywhere' ? t('revokeAll.everywhereHint') : undefined}
      />
      {which === 'client' && <Whom kind="tenants" label={t('list.client')} value={tenant} onInput={setTenant} />}
      {which === 'owner' && <Whom kind="owners" label={t('form.owner')} value={owner} onInput={setOwner} />}
      <div role="status">
        {asked && (
          <Banner tone="danger">
            <strong>
              {counted.problem !== undefined ? t('revokeAll.uncounted') : group === undefined ? t('revokeAll.counting') : countText(group)}
            </strong>
            {group?.tokens.length !== 0 && <Together tokens={group?.tokens} more={group?.more} problem={counted.problem} />}
          </Banner>
        )}
      </div>
      <TextField label={t('revoke.reason')} optional most={500} value={reason} onInput={setReason} />
      {asked && <TextField label={t('revokeAll.type', { word })} value={typed} mono cut={asTyped} onInput={setTyped} />}
      <ProblemLine problem={problem ?? counted.problem} />
      <Maybe problem={problem} text="revokeAll.maybe" />
    </Dialog>
  )
}

function Whom(props: {
  readonly kind: Kind
  readonly label: string
  readonly value: string
  readonly onInput: (id: string) => void
}): JSX.Element {
  const { kind, label, value, onInput } = props
  const offered = useChoices(kind, value)
  const id = value.trim()
  const name = useLabel(kind, id)
  return (
    <TextField
      first
      label={label}
      hint={suggestionHint(offered.problem, name === id ? undefined : name)}
      value={value}
      most={200}
      onInput={onInput}
      choices={offered.choices}
    />
  )
}

/** Counts the unrevoked tokens up to a bound, because the API returns pages, not totals. Waits until typing pauses. */
async function loadAlive(filter: Query, signal: AbortSignal): Promise<Group> {
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  const tokens: Token[] = []
  let cursor: string | undefined
  for (let page = 0; page < PAGES; page += 1) {
    signal.throwIfAborted()
    const found: Page<Token> = await call('GET', '.', {
      query: { ...filter, status: ['pending', 'active', 'inactive', 'expired'], limit: 1000, cursor },
      signal,
    })
    tokens.push(...found.items)
    cursor = found.nextCursor
    if (cursor === undefined) return { tokens, more: false }
  }
  return { tokens, more: true }
}

function countText({ tokens: { length: count }, more }: Group): string {
  if (count === 0) return t('revokeAll.countNone')
  return t(more ? 'revokeAll.countMore' : 'revokeAll.count', { count })
}
