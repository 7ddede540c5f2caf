import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { call, makeOnce } from '../lib/api.js'
import { useNow } from '../lib/clock.js'
import { moment } from '../lib/format.js'
import { useLoad, useMaybe, useTask } from '../lib/hooks.js'
import { Rich } from '../lib/rich.js'
import { t } from '../lib/text.js'
import type { Minted, Token } from '../lib/types.js'
import { useWorld } from '../lib/world.js'
import { Banner } from '../ui/banner.js'
import { Button } from '../ui/button.js'
import { Dialog } from '../ui/dialog.js'
import { Pills } from '../ui/fields.js'
import { useHeldClose } from '../ui/leave.js'
import { Maybe, ProblemLine } from '../ui/problem.js'
import { Ago } from '../ui/time.js'
import { sayWhy, useWho, whyRefused } from './already.js'

const OVERLAPS = [
  { value: '0', label: 'rotate.now' },
  { value: '3600', label: 'rotate.hour' },
  { value: '86400', label: 'rotate.day' },
  { value: '259200', label: 'rotate.days3' },
  { value: '604800', label: 'rotate.days7' },
] as const

type Props = {
  readonly token: Token
  readonly onClose: () => void
  /** The token may have been rotated although no response arrived, or someone else changed it first. */
  readonly onChanged: () => void
  readonly onMade: (minted: Minted, oldEndsAt: number | null) => void
}

/** Asks how long the old token keeps working alongside its successor. Only the button rotates; Enter does not. */
export function Rotate({ token, onClose, onChanged, onMade }: Props): JSX.Element {
  const [overlap, setOverlap] = useState<(typeof OVERLAPS)[number]['value']>('86400')
  const [make] = useState(() => makeOnce<Minted>())
  const { busy, problem, run } = useTask()
  const close = useHeldClose(busy, useMaybe(problem, onChanged, onClose))
  const who = useWho()
  const now = useNow()
  const { usageCounted } = useWorld()
  const { data } = useLoad(token.id, (signal) => call<Token>('GET', token.id, { signal }))
  const current = data ?? token
  const seconds = Number(overlap)
  const end = now + seconds * 1000
  const capped = token.expiresAt !== undefined && Date.parse(token.expiresAt) < end ? Date.parse(token.expiresAt) : undefined
  const rotate = (): Promise<void> =>
    run(async () => {
      try {
        const minted = await make(`${token.id}/rotate`, { overlap: seconds })
        onMade(minted, seconds === 0 ? null : (capped ?? Date.now() + seconds * 1000))
      } catch (error) {
        sayWhy(await whyRefused(error, token.id, 'rotate', who))
        onClose()
        onChanged()
      }
    })
  return (
    <Dialog
      title={<Rich k="rotate.title" name={token.name} />}
      onClose={close}
      footer={
        <>
          <Button onClick={close}>{t('action.cancel')}</Button>
          <Button kind="primary" icon="rotate" busy={busy} onClick={() => void rotate()}>
            {t('rotate.confirm')}
          </Button>
        </>
      }
    >
      <p>{t('rotate.text')}</p>
      <Pills
        first
        legend={t('rotate.overlap')}
        value={overlap}
        options={OVERLAPS.map(({ value, label }) => ({ value, label: t(label) }))}
        onChange={setOverlap}
        hint={capped === undefined ? (seconds === 0 ? undefined : moment(end)) : t('rotate.capped', { time: moment(capped) })}
      />
      {seconds === 0 && (
        <Banner tone="warn">
          <p>{t('rotate.nowWarning')}</p>
          <p>
            {!usageCounted ? (
              t('rotate.nowUnknown')
            ) : current.lastUsedAt !== undefined ? (
              <Rich k="rotate.nowBreaks" time={<Ago at={current.lastUsedAt} />} />
            ) : (
              t(data === undefined ? 'rotate.nowUnknown' : data.importedFrom === undefined ? 'rotate.nowUnused' : 'revoke.unusedImported')
            )}
          </p>
        </Banner>
      )}
      <ProblemLine problem={problem} />
      <Maybe problem={problem} text="rotate.maybe" />
    </Dialog>
  )
}
