import type { JSX } from 'preact'
import { Detail } from './detail/detail.js'
import { call } from './lib/api.js'
import { config } from './lib/config.js'
import { useLoad } from './lib/hooks.js'
import { t } from './lib/text.js'
import type { Me, Scopes } from './lib/types.js'
import { usePlace } from './lib/url.js'
import { List } from './list/list.js'
import { Icon } from './ui/icons.js'
import { ProblemState } from './ui/problem.js'
import { Toasts } from './ui/toasts.js'

/** The whole page. */
export function App(): JSX.Element {
  const place = usePlace()
  const world = useLoad('world', async (signal) => {
    const [me, scopes] = await Promise.all([call<Me>('GET', 'me', { signal }), call<Scopes>('GET', 'scopes', { signal })])
    return { me, scopes }
  })
  const { data, problem, reload } = world
  return (
    <>
      <a class="skip" href="#main">
        {t('app.skip')}
      </a>
      <TopBar me={data?.me} />
      <main id="main" tabIndex={-1}>
        {problem !== undefined && data === undefined && <ProblemState main problem={problem} reload={reload} />}
        {problem === undefined && data === undefined && <Loading />}
        {data !== undefined &&
          (place.token === undefined ? (
            <List place={place} world={data} />
          ) : (
            <Detail key={place.token} id={place.token} place={place} world={data} />
          ))}
      </main>
      <Toasts />
    </>
  )
}

function TopBar({ me }: { readonly me: Me | undefined }): JSX.Element {
  return (
    <header class="top">
      <div class="top-inner">
        <span class="brand">
          {config.logo === undefined ? (
            <span class="mark">
              <Icon name="key" />
            </span>
          ) : (
            <img class="logo" src={config.logo} alt="" />
          )}
          <span>{config.title ?? t('app.title')}</span>
        </span>
        {me && (
          <span class="top-facts">
            <code class="prefix" title={t('app.environment', { prefix: `${me.prefix}_` })}>
              {me.prefix}
            </code>
            <span class="who" title={t('app.signedInAs', { name: me.id })}>
              <span class="avatar" aria-hidden="true">
                {[...me.id][0]?.toUpperCase()}
              </span>
              <span class="who-name">
                <span class="hidden">{t('app.signedInAs', { name: '' })}</span>
                {me.id}
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
