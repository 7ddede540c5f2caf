import type { JSX } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { origin } from '../lib/api.js'
import { config } from '../lib/config.js'
import { moment } from '../lib/format.js'
import { t } from '../lib/text.js'
import type { Question } from '../ui/ask.js'
import { Banner } from '../ui/banner.js'
import { Button } from '../ui/button.js'
import { CopyButton } from '../ui/copy.js'
import { Dialog } from '../ui/dialog.js'
import { useGuardedClose } from '../ui/leave.js'

/**
 * A token's text on its only way: from the answer into this box, which is emptied when its dialog closes.
 *
 * The text is no state of a component, whose old values a renderer may keep.
 */
export type Secret = { text: string }

const UNKEPT: Question = {
  title: 'leave.secret.title',
  text: 'leave.secret.text',
  yes: 'leave.secret.close',
  no: 'leave.secret.stay',
}

/** Shows a token once. Whoever leaves without having copied it is asked first. */
export function Reveal(props: {
  readonly secret: Secret
  readonly name: string
  /** After a rotation: when the old one ends; `null`: it ended. */
  readonly oldEndsAt?: number | null | undefined
  readonly onDone: () => void
}): JSX.Element {
  const { secret, oldEndsAt } = props
  const place = useRef<HTMLDivElement>(null)
  const [kept, setKept] = useState(false)
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
      secret.text = ''
    }
  }, [secret, name])
  const find = (selector: string) => () => place.current?.querySelector(selector)
  const keep = (): void => setKept(true)
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
      <div ref={place} class="reveal" onCopy={keep}>
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
        <Line label={t('reveal.curl')} attribute="data-curl" {...copying} />
        <Line label={t('reveal.env')} attribute="data-env" {...copying} />
      </div>
    </Dialog>
  )
}

function Line(props: {
  readonly label: string
  readonly attribute: string
  readonly find: (selector: string) => () => Element | null | undefined
  readonly onCopied: () => void
}): JSX.Element {
  const { label, attribute, onCopied } = props
  const source = props.find(`[${attribute}]`)
  return (
    <div class="snippet">
      <p class="snippet-label">{label}</p>
      <div>
        <code {...{ [attribute]: '' }} translate={false} />
        <CopyButton text={() => source()?.textContent ?? ''} source={source} label={`${t('action.copy')}: ${label}`} onCopied={onCopied} />
      </div>
    </div>
  )
}
