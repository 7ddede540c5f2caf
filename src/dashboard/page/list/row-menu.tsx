import type { JSX } from 'preact'
import { isOver, isRotatable, isStopped } from '../acts/able.js'
import type { Act } from '../acts/acts.js'
import { useWho } from '../acts/already.js'
import { flipAndSay } from '../acts/flip.js'
import { Problem } from '../lib/problem.js'
import { t } from '../lib/text.js'
import type { Token } from '../lib/types.js'
import { copyText } from '../ui/copy.js'
import { Menu } from '../ui/menu.js'
import { problemSentence } from '../ui/problem.js'
import { say } from '../ui/toasts.js'

export type OnAct = (token: Token, act: Act) => void

type Props = { readonly token: Token; readonly onAct: OnAct; readonly onChanged: () => void }

/** Actions for a token in the list. */
export function RowMenu({ token, onAct, onChanged }: Props): JSX.Element {
  const over = isOver(token)
  const stopped = isStopped(token)
  const who = useWho()
  const flipNow = async (): Promise<void> => {
    try {
      await flipAndSay(token, who)
    } catch (error) {
      say(problemSentence(Problem.of(error)))
    }
    onChanged()
  }
  const copy = async (): Promise<void> =>
    say((await copyText(token.id)) ? t('action.copied') : t('action.copyFailedOf', { text: token.id }))
  return (
    <Menu
      label={t('list.menu', { name: token.name })}
      items={[
        { label: t('action.edit'), icon: 'edit', disabled: over, onPick: () => onAct(token, 'edit') },
        { label: t('action.rotate'), icon: 'rotate', disabled: !isRotatable(token), onPick: () => onAct(token, 'rotate') },
        {
          label: t(stopped ? 'action.activate' : 'action.deactivate'),
          icon: stopped ? 'play' : 'pause',
          disabled: over,
          onPick: () => void flipNow(),
        },
        { label: t('action.copyOnlyId'), icon: 'copy', onPick: () => void copy() },
        { label: t('action.revoke'), icon: 'ban', danger: true, disabled: over, onPick: () => onAct(token, 'revoke') },
      ]}
    />
  )
}
