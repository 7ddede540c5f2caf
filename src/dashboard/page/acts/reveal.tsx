import type { JSX } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { origin } from '../lib/api.js'
import { config } from '../lib/config.js'
import { moment } from '../lib/format.js'
import { t } from '../lib/text.js'
import { Banner, Button, CopyButton } from '../ui/bits.js'
import { Dialog } from '../ui/dialog.js'

/**
 * A token's text on its only way: from the answer into this box, which is emptied when its dialog closes.
 *
 * The text is no state of a component, whose old values a renderer may keep.
 */
export type Secret = { text: string }

/** Shows a token once. Only its button closes it. */
export function Reveal(props: {
  readonly secret: Secret
  readonly name: string
  /** After a rotation: when the old one ends; `null`: it ended. */
  readonly oldEndsAt?: number | null | undefined
  readonly onDone: () => void
}): JSX.Element {
  const { secret, oldEndsAt } = props
  const place = useRef<HTMLDivElement>(null)
  const name = `${config.envName ?? 'API_TOKEN'}`
  useLayoutEffect(() => {
    // Written by hand, so that the text is in the document and nowhere in what the renderer remembers.
    const put = (selector: string, text: string): void => place.current?.querySelector(selector)?.replaceChildren(text)
    put('[data-token]', secret.text)
    put('[data-curl]', `curl -H "Authorization: Bearer ${secret.text}" ${config.exampleUrl ?? `${origin}/`}`)
    put('[data-env]', `${name}=${secret.text}`)
    const { current } = place
    return () => {
      for (const code of current?.querySelectorAll('code') ?? []) code.replaceChildren()
    }
  }, [secret, name])
  const textOf = (selector: string) => () => place.current?.querySelector(selector)?.textContent ?? ''
  const done = (): void => {
    secret.text = ''
    props.onDone()
  }
  return (
    <Dialog
      title={t('reveal.title')}
      size="large"
      onForced={done}
      onSubmit={done}
      footer={
        <Button kind="primary" submit>
          {t('reveal.done')}
        </Button>
      }
    >
      <div ref={place} class="reveal">
        <Banner tone="warn">
          <strong>{t('reveal.warning')}</strong>
          {oldEndsAt !== undefined && <p>{oldEndsAt === null ? t('reveal.ended') : t('reveal.overlap', { time: moment(oldEndsAt) })}</p>}
        </Banner>
        <p class="reveal-name">{props.name}</p>
        <div class="secret">
          <code data-token translate={false} />
          <CopyButton wide text={textOf('[data-token]')} label={t('reveal.copy')} />
        </div>
        <Line label={t('reveal.curl')} attribute="data-curl" text={textOf('[data-curl]')} />
        <Line label={t('reveal.env')} attribute="data-env" text={textOf('[data-env]')} />
      </div>
    </Dialog>
  )
}

function Line({
  label,
  attribute,
  text,
}: {
  readonly label: string
  readonly attribute: string
  readonly text: () => string
}): JSX.Element {
  return (
    <div class="snippet">
      <p class="snippet-label">{label}</p>
      <div>
        <code {...{ [attribute]: '' }} translate={false} />
        <CopyButton text={text} label={`${t('action.copy')}: ${label}`} />
      </div>
    </div>
  )
}
