import type { ComponentChildren, JSX } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { origin } from '../lib/api.js'
import { config } from '../lib/config.js'
import { moment } from '../lib/format.js'
import { t } from '../lib/text.js'
import { useWorld } from '../lib/world.js'
import type { Question } from '../ui/ask.js'
import { Banner } from '../ui/banner.js'
import { Button } from '../ui/button.js'
import { CopyButton } from '../ui/copy.js'
import { Dialog } from '../ui/dialog.js'
import { download } from '../ui/download.js'
import { Icon } from '../ui/icons.js'
import { useGuardedClose } from '../ui/leave.js'
import { envLine, fieldOf, LANGUAGE_NAMES, LANGUAGES, type Language, snippetOf } from './snippets.js'

/**
 * Carries a token from the response to the dialog that shows it. Emptied when the dialog closes.
 *
 * The token is not component state, because a renderer may keep old values of the state.
 */
export type Secret = { text: string }

const UNKEPT: Question = {
  title: 'leave.secret.title',
  text: 'leave.secret.text',
  yes: 'leave.secret.close',
  no: 'leave.secret.stay',
}

/** Shows a token once. Asks for confirmation before closing if the token was not copied. */
export function Reveal(props: {
  readonly secret: Secret
  readonly name: string
  /** After a rotation: when the old token ends; `null` if it has ended. */
  readonly oldEndsAt?: number | null | undefined
  readonly onDone: () => void
}): JSX.Element {
  const { secret, oldEndsAt } = props
  const place = useRef<HTMLDivElement>(null)
  const [kept, setKept] = useState(false)
  const [language, setLanguage] = useState<Language>('curl')
  const { sentIn } = useWorld().me
  useLayoutEffect(() => {
    // Written to the DOM directly, so that the renderer never stores the token.
    const put = (selector: string, text: string): void => place.current?.querySelector(selector)?.replaceChildren(text)
    put('[data-token]', secret.text)
    put(`[data-${language}]`, snippetOf(language, fieldOf(secret.text, sentIn), config, origin))
    put('[data-env]', envLine(secret.text, config))
    const snippet = place.current?.querySelector(`[data-${language}]`)
    return () => snippet?.replaceChildren()
  }, [secret, language, sentIn])
  useLayoutEffect(() => {
    const { current } = place
    return () => {
      for (const code of current?.querySelectorAll('code') ?? []) code.replaceChildren()
      secret.text = ''
    }
  }, [secret])
  const find = (selector: string) => () => place.current?.querySelector(selector)
  const keep = (): void => setKept(true)
  // For manual copying, which counts only if the selection contains the token.
  const keepSelected = (): void => {
    const selected = getSelection()?.toString() ?? ''
    if ([secret.text, fieldOf(secret.text, sentIn).value].some((text) => selected.includes(text))) keep()
  }
  const done = useGuardedClose(!kept, props.onDone, UNKEPT)
  const copying = { find, onCopied: keep }
  return (
    <Dialog
      title={t('reveal.title')}
      size="large"
      cross={false}
      onClose={() => undefined}
      footer={
        <Button kind="primary" onClick={done}>
          {t('reveal.done')}
        </Button>
      }
    >
      <div ref={place} class="reveal" onCopy={keepSelected}>
        <Banner tone="warn">
          <strong>{t('reveal.warning')}</strong>
          {oldEndsAt !== undefined && <p>{oldEndsAt === null ? t('reveal.ended') : t('reveal.overlap', { time: moment(oldEndsAt) })}</p>}
        </Banner>
        <p class="reveal-name" dir="auto">
          {props.name}
        </p>
        <div class="secret">
          <code data-token translate={false} />
          <CopyButton
            wide
            first
            text={() => find('[data-token]')()?.textContent ?? ''}
            source={find('[data-token]')}
            label={t('reveal.copy')}
            onCopied={keep}
          />
        </div>
        <fieldset class="segments">
          <legend class="hidden">{t('reveal.language')}</legend>
          {LANGUAGES.map((one) => (
            <button key={one} type="button" aria-pressed={language === one} onClick={() => setLanguage(one)}>
              {LANGUAGE_NAMES[one]}
            </button>
          ))}
        </fieldset>
        <Line key={language} label={t('reveal.try', { name: LANGUAGE_NAMES[language] })} attribute={`data-${language}`} {...copying} />
        <Line label={t('reveal.env')} attribute="data-env" {...copying}>
          <button
            type="button"
            class="icon-button"
            aria-label={t('reveal.download')}
            title={t('reveal.download')}
            onClick={() => {
              download('token.env', 'text/plain', `${envLine(secret.text, config)}\n`)
              keep()
            }}
          >
            <Icon name="down" />
          </button>
        </Line>
      </div>
    </Dialog>
  )
}

function Line(props: {
  readonly label: string
  readonly attribute: string
  readonly find: (selector: string) => () => Element | null | undefined
  readonly onCopied: () => void
  readonly children?: ComponentChildren
}): JSX.Element {
  const { label, attribute, onCopied } = props
  const source = props.find(`[${attribute}]`)
  return (
    <div class="snippet">
      <p class="snippet-label">{label}</p>
      <div>
        <code {...{ [attribute]: '' }} translate={false} />
        <CopyButton text={() => source()?.textContent ?? ''} source={source} label={`${t('action.copy')}: ${label}`} onCopied={onCopied} />
        {props.children}
      </div>
    </div>
  )
}
