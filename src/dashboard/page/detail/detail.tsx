import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Lost } from '../acts/lost.js'
import { Reveal, type Secret } from '../acts/reveal.js'
import { Revoke } from '../acts/revoke.js'
import { Rotate } from '../acts/rotate.js'
import { Edit } from '../form/edit.js'
import { call } from '../lib/api.js'
import { useLoad, useTask } from '../lib/hooks.js'
import { Problem } from '../lib/problem.js'
import { t } from '../lib/text.js'
import { useTitle } from '../lib/title.js'
import type { Minted, Token } from '../lib/types.js'
import { go, linkTo, type Place, useScroll } from '../lib/url.js'
import { Button } from '../ui/button.js'
import { CopyButton } from '../ui/copy.js'
import { focusMain } from '../ui/focus.js'
import { Icon } from '../ui/icons.js'
import { ProblemLine, ProblemState } from '../ui/problem.js'
import { say } from '../ui/toasts.js'
import { StatusBadge } from '../ui/token.js'
import { Activity } from './activity.js'
import { Audit } from './audit.js'
import { Banners } from './banners.js'
import { Facts } from './facts.js'

type Props = { readonly id: string; readonly place: Place }
type Open =
  | { readonly what: 'edit' | 'rotate' | 'revoke' }
  | { readonly what: 'made'; readonly record: Token; readonly oldEndsAt: number | null }
  | { readonly what: 'lost'; readonly record: Token }

/** One token: what it is, what it did, and what can be done with it. */
export function Detail({ id, place }: Props): JSX.Element {
  const loaded = useLoad(id, (signal) => call<Token>('GET', encodeURIComponent(id), { signal }))
  const { data: token, problem, reload } = loaded
  const [round, setRound] = useState(0)
  const changed = (): void => {
    reload()
    setRound((before) => before + 1)
  }
  const { token: _, ...list } = place
  useTitle(token?.name)
  useScroll(token !== undefined || problem !== undefined)
  return (
    <>
      <nav>
        <a class="back" {...linkTo(list)}>
          <Icon name="back" />
          {t('action.back')}
        </a>
      </nav>
      {problem && token === undefined && (
        <div class="card">
          <ProblemState main {...loaded} problem={problem} />
        </div>
      )}
      {token === undefined && !problem && (
        <div class="loading" role="status">
          <span class="spinner large" />
          <span class="hidden">{t('list.loading')}</span>
        </div>
      )}
      {token && <Loaded token={token} place={place} round={round} onChanged={changed} />}
    </>
  )
}

type LoadedProps = { readonly token: Token; readonly place: Place; readonly round: number; readonly onChanged: () => void }

function Loaded({ token, place, round, onChanged }: LoadedProps): JSX.Element {
  const [open, setOpen] = useState<Open | undefined>()
  const [secret] = useState<Secret>({ text: '' })
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus({ preventScroll: true }), [token.id])
  const close = (): void => {
    setOpen(undefined)
    setTimeout(focusMain)
  }
  const made = (minted: Minted, oldEndsAt: number | undefined): void => {
    const { record } = minted
    secret.text = minted.token ?? ''
    setOpen(minted.token === undefined ? { what: 'lost', record } : { what: 'made', record, oldEndsAt: oldEndsAt ?? null })
  }
  const openNew = (record: Token): void => {
    close()
    go({ ...place, token: record.id })
  }
  return (
    <>
      <div class="head detail-head">
        <div>
          <h1 ref={heading} tabIndex={-1}>
            <bdi>{token.name}</bdi>
          </h1>
          <p class="hint-line">
            <StatusBadge token={token} />
            <code>{token.hint}</code>
            <CopyButton text={() => token.id} label={t('action.copyId', { id: token.id })} />
          </p>
          {token.description && (
            <p class="muted" dir="auto">
              {token.description}
            </p>
          )}
        </div>
        <Actions token={token} onOpen={(what) => setOpen({ what })} onChanged={onChanged} />
      </div>
      <Banners token={token} place={place} />
      <div class="detail">
        <div class="detail-main">
          <Activity id={token.id} />
          <Audit key={round} id={token.id} />
        </div>
        <Facts token={token} place={place} />
      </div>
      {open?.what === 'edit' && <Edit token={token} onClose={close} onSaved={onChanged} />}
      {open?.what === 'rotate' && <Rotate token={token} onClose={close} onMade={made} />}
      {open?.what === 'revoke' && <Revoke token={token} onClose={close} onDone={onChanged} />}
      {open?.what === 'lost' && (
        <Lost record={open.record} onClose={() => openNew(open.record)} onMade={(minted) => made(minted, undefined)} />
      )}
      {open?.what === 'made' && (
        <Reveal secret={secret} name={open.record.name} oldEndsAt={open.oldEndsAt} onDone={() => openNew(open.record)} />
      )}
    </>
  )
}

function Actions(props: {
  readonly token: Token
  readonly onOpen: (what: 'edit' | 'rotate' | 'revoke') => void
  readonly onChanged: () => void
}): JSX.Element {
  const { token, onOpen, onChanged } = props
  const { busy, problem, run } = useTask()
  const over = token.status === 'revoked'
  const rotatable = (token.status === 'active' || token.status === 'pending') && token.replacedById === undefined
  const inactive = token.deactivatedAt !== undefined
  const flip = (): Promise<void> =>
    run(async () => {
      try {
        await call('POST', `${token.id}/${inactive ? 'activate' : 'deactivate'}`, { version: token.version })
        say(t(inactive ? 'lifecycle.activated' : 'lifecycle.deactivated'))
      } catch (error) {
        if (Problem.of(error).status !== 412) throw error
        say(t('lifecycle.stale'))
      }
      onChanged()
    })
  return (
    <div>
      <div class="head-actions">
        <Button icon="edit" disabled={over} onClick={() => onOpen('edit')}>
          {t('action.edit')}
        </Button>
        <Button icon={inactive ? 'play' : 'pause'} disabled={over} busy={busy} onClick={() => void flip()}>
          {t(inactive ? 'action.activate' : 'action.deactivate')}
        </Button>
        <Button icon="rotate" disabled={!rotatable} onClick={() => onOpen('rotate')}>
          {t('action.rotate')}
        </Button>
        <Button kind="danger-quiet" icon="ban" disabled={over} onClick={() => onOpen('revoke')}>
          {t('action.revoke')}
        </Button>
      </div>
      <ProblemLine problem={problem} />
    </div>
  )
}
