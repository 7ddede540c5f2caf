import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { isOver, isRotatable, isStopped } from '../acts/able.js'
import { type Act, Acts } from '../acts/acts.js'
import { useWho } from '../acts/already.js'
import { flipAndSay } from '../acts/flip.js'
import { call } from '../lib/api.js'
import { useLoad, useTask } from '../lib/hooks.js'
import { Problem } from '../lib/problem.js'
import { t } from '../lib/text.js'
import { useTitle } from '../lib/title.js'
import type { AuditEvent, Token } from '../lib/types.js'
import { go, linkTo, type Place, useScroll } from '../lib/url.js'
import { useWorld } from '../lib/world.js'
import { Button } from '../ui/button.js'
import { CopyButton } from '../ui/copy.js'
import { focusMain } from '../ui/focus.js'
import { Icon } from '../ui/icons.js'
import { ProblemLine, ProblemState } from '../ui/problem.js'
import { StatusBadge } from '../ui/token.js'
import { Activity } from './activity.js'
import { Advisor } from './advisor.js'
import { Audit } from './audit.js'
import { Banners } from './banners.js'
import { Explain } from './explain.js'
import { Facts } from './facts.js'

type Props = { readonly id: string; readonly place: Place }
/** One token: its details, its usage, and the available actions. */
export function Detail({ id, place }: Props): JSX.Element {
  const loaded = useLoad(id, (signal) => load(id, signal))
  const { problem, reload } = loaded
  // A token that was removed in the meantime is not shown as if it still existed.
  const token = problem?.kind === 'missing' ? undefined : loaded.data
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

// Anyone may have crafted the URL, so only an ID is requested, never another path such as `..`.
const load = (id: string, signal: AbortSignal): Promise<Token> =>
  /^[0-9A-Za-z]{16}$/.test(id) ? call<Token>('GET', id, { signal }) : Promise.reject(new Problem(404, undefined))

type LoadedProps = { readonly token: Token; readonly place: Place; readonly round: number; readonly onChanged: () => void }

function Loaded({ token, place, round, onChanged }: LoadedProps): JSX.Element {
  const { usageCounted } = useWorld()
  const [act, setAct] = useState<Act | undefined>()
  const [refused, setRefused] = useState<{ readonly event: AuditEvent; readonly round: number } | undefined>()
  const explain = (event: AuditEvent): void => setRefused((before) => ({ event, round: (before?.round ?? 0) + 1 }))
  const own = refused?.event.tokenId === token.id ? refused : undefined
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus({ preventScroll: true }), [token.id])
  const close = (): void => {
    setAct(undefined)
    setTimeout(focusMain)
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
        <Actions token={token} onOpen={setAct} onChanged={onChanged} />
      </div>
      <Banners token={token} place={place} onChanged={onChanged} />
      <div class="detail">
        <div class="detail-main">
          <Activity id={token.id} />
          {usageCounted && !isOver(token) && token.scopes.length > 0 && <Advisor token={token} onChanged={onChanged} />}
          <Explain key={`${token.id} ${own?.round}`} token={token} event={own?.event} />
          <Audit key={round} id={token.id} onExplain={explain} />
        </div>
        <Facts token={token} place={place} />
      </div>
      {act !== undefined && <Acts key={act} token={token} act={act} onClose={close} onChanged={onChanged} onMade={openNew} />}
    </>
  )
}

function Actions(props: { readonly token: Token; readonly onOpen: (act: Act) => void; readonly onChanged: () => void }): JSX.Element {
  const { token, onOpen, onChanged } = props
  const { busy, problem, run } = useTask()
  const over = isOver(token)
  const inactive = isStopped(token)
  const who = useWho()
  const flipNow = (): Promise<void> => run(() => flipAndSay(token, who).then(onChanged))
  return (
    <div>
      <div class="head-actions">
        <Button icon="edit" disabled={over} onClick={() => onOpen('edit')}>
          {t('action.edit')}
        </Button>
        <Button icon={inactive ? 'play' : 'pause'} disabled={over} busy={busy} onClick={() => void flipNow()}>
          {t(inactive ? 'action.activate' : 'action.deactivate')}
        </Button>
        <Button icon="rotate" disabled={!isRotatable(token)} onClick={() => onOpen('rotate')}>
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
