import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { makeOnce } from '../lib/api.js'
import { useTask } from '../lib/hooks.js'
import { t } from '../lib/text.js'
import type { Minted, Token } from '../lib/types.js'
import { Banner } from '../ui/banner.js'
import { Button } from '../ui/button.js'
import { Dialog } from '../ui/dialog.js'
import { useHeldClose } from '../ui/leave.js'
import { ProblemLine } from '../ui/problem.js'
import { StatusBadge } from '../ui/token.js'
import { sayWhy, useWho, whyRefused } from './already.js'

type Props = {
  readonly record: Token
  /** The token was created from an earlier version of the form. */
  readonly earlier?: boolean
  /** The user keeps the token as it is. */
  readonly onClose: () => void
  readonly onMade: (minted: Minted) => void
}

/** A token was created, but the response with the token was lost. The user can rotate that token to get a new one. */
export function Lost({ record, earlier, onClose, onMade }: Props): JSX.Element {
  const [make] = useState(() => makeOnce<Minted>())
  const { busy, problem, run } = useTask()
  const close = useHeldClose(busy, onClose)
  const who = useWho()
  const rotate = (): Promise<void> =>
    run(async () => {
      try {
        onMade(await make(`${record.id}/rotate`, { overlap: 0 }))
      } catch (error) {
        sayWhy(await whyRefused(error, record.id, 'rotate', who))
        onClose()
      }
    })
  return (
    <Dialog
      title={t('lost.title')}
      onClose={close}
      footer={
        <>
          <Button onClick={close}>{t('lost.later')}</Button>
          <Button kind="primary" icon="rotate" busy={busy} onClick={() => void rotate()}>
            {t('lost.rotate')}
          </Button>
        </>
      }
    >
      <Banner tone="warn">
        <p>{t('lost.text')}</p>
        {earlier && <p>{t('lost.earlier')}</p>}
      </Banner>
      <p class="lost-token">
        <strong>
          <bdi>{record.name}</bdi>
        </strong>{' '}
        <StatusBadge token={record} /> <code>{record.hint}</code>
      </p>
      <ProblemLine problem={problem} />
    </Dialog>
  )
}
