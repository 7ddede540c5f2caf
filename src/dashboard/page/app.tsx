import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { AuditScreen } from './audit/screen.js'
import { Detail } from './detail/detail.js'
import { call } from './lib/api.js'
import { config } from './lib/config.js'
import { learnShapes } from './lib/cut.js'
import { whenFree } from './lib/guard.js'
import { useLoad } from './lib/hooks.js'
import { NamesContext, useLoadedNames } from './lib/names.js'
import { Problem } from './lib/problem.js'
import { t } from './lib/text.js'
import type { Me, Scopes, World } from './lib/types.js'
import { cutAddress, type Place, usePlace } from './lib/url.js'
import { WorldContext } from './lib/world.js'
import { List } from './list/list.js'
import { Announcer } from './ui/announce.js'
import { Asker } from './ui/ask.js'
import { Banner } from './ui/banner.js'
import { Icon } from './ui/icons.js'
import { NamesProblem, ProblemState } from './ui/problem.js'
import { say, Toasts } from './ui/toasts.js'

/** The whole page. */
export function App(): JSX.Element {
  const place = usePlace()
  const { data: world, problem, retryAt, reload } = useLoad('world', loadWorld)
  const name = useAccountSwitch(world?.me.id, reload)
  const signedOut = problem?.kind === 'signedOut'
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        {t('app.skip')}
      </button>
      <TopBar me={signedOut ? undefined : world?.me} name={name} />
      <main id="main" tabIndex={-1}>
        {problem !== undefined && (world === undefined || signedOut) && (
          <ProblemState main problem={problem} retryAt={retryAt} reload={reload} />
        )}
        {problem === undefined && world === undefined && <Loading />}
        {world !== undefined && !signedOut && (
          // Another user sees other tokens, so no state of the previous user is kept.
          <WorldContext.Provider key={world.me.id} value={world}>
            <Named>
              <Screen place={place} />
            </Named>
          </WorldContext.Provider>
        )}
      </main>
      <Toasts />
      <Announcer />
      <Asker />
    </>
  )
}

// Names load last; until then, IDs are shown. Other problems are reported where they prevent content from being shown.
function Named({ children }: { readonly children: JSX.Element }): JSX.Element {
  const names = useLoadedNames()
  return (
    <NamesContext.Provider value={names}>
      <div role="status">
        {names.problem?.kind === 'callback' && (
          <Banner tone="warn">
            <NamesProblem problem={names.problem} /> {t('names.ids')}
          </Banner>
        )}
      </div>
      {children}
    </NamesContext.Provider>
  )
}

function Screen({ place }: { readonly place: Place }): JSX.Element {
  if (place.token !== undefined) return <Detail key={place.token} id={place.token} place={place} />
  return place.screen === 'audit' ? <AuditScreen place={place} /> : <List place={place} />
}

async function loadWorld(signal: AbortSignal): Promise<World> {
  const [me, scopes] = await Promise.all([call<Me>('GET', 'me', { signal }), call<Scopes>('GET', 'scopes', { signal })])
  learnShapes(me.importedShapes)
  cutAddress()
  return { me, scopes, usageCounted: scopes.usage }
}

// Users may sign out or sign in as someone else in another tab. Unsaved input and a token that is shown once stay until they are closed.
function useAccountSwitch(id: string | undefined, reload: () => void): string | undefined {
  const [latest, setLatest] = useState(id)
  useEffect(() => {
    setLatest(id)
    if (id === undefined) return
    let known: string | undefined = id
    let stop = (): void => {}
    const check = async (): Promise<void> => {
      if (document.visibilityState !== 'visible') return
      const me = await call<Me>('GET', 'me').catch(Problem.of)
      if (me instanceof Problem && me.kind !== 'signedOut') return
      const now = me instanceof Problem ? undefined : me.id
      if (now === known) return
      known = now
      if (now !== undefined && now !== id) {
        setLatest(now)
        say(t('app.nowSignedInAs', { name: now }))
      }
      stop()
      stop = whenFree(reload)
    }
    const listen = (): void => void check()
    document.addEventListener('visibilitychange', listen)
    addEventListener('focus', listen)
    return () => {
      stop()
      document.removeEventListener('visibilitychange', listen)
      removeEventListener('focus', listen)
    }
  }, [id, reload])
  return latest ?? id
}

/** `name` is the user who is signed in now. The tokens that are still shown may belong to a different user. */
function TopBar({ me, name = '' }: { readonly me: Me | undefined; readonly name: string | undefined }): JSX.Element {
  const title = config.title ?? t('app.title')
  return (
    <header class="top">
      <div class="top-inner">
        {config.back !== undefined && (
          <a class="back host-back" href={config.back.url}>
            <Icon name="back" />
            <bdi>{config.back.text}</bdi>
          </a>
        )}
        <span class="brand">
          {config.logo === undefined ? (
            <span class="mark">
              <Icon name="key" />
            </span>
          ) : (
            <img class="logo" src={config.logo} alt="" />
          )}
          <span title={title}>{title}</span>
        </span>
        {me && (
          <span class="top-facts">
            <code class="prefix" title={t('app.environment', { prefix: `${me.prefix}_` })}>
              {me.prefix}
            </code>
            <span class="who" title={t('app.signedInAs', { name })}>
              <span class="avatar" aria-hidden="true">
                {[...name][0]?.toUpperCase()}
              </span>
              <span class="who-name">
                <span class="hidden">{t('app.signedInAs', { name: '' })}</span>
                <bdi>{name}</bdi>
              </span>
            </span>
          </span>
        )}
      </div>
    </header>
  )
}

function Loading(): JSX.Element {
  return (
    <div class="loading" role="status">
      <span class="spinner large" />
      <span class="hidden">{t('list.loading')}</span>
    </div>
  )
}
