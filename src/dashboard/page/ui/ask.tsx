import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { type Key, t } from '../lib/text.js'
import { Button } from './button.js'
import { Dialog } from './dialog.js'

/** A question with two answers. */
export type Question = { readonly title: Key; readonly text: Key; readonly yes: Key; readonly no: Key }

type Open = { readonly question: Question; readonly answer: Promise<boolean>; readonly give: (yes: boolean) => void }

let show: (open: Open | undefined) => void = () => {}
let current: Open | undefined

/** Asks a question and waits for the answer. A second call in the meantime waits for the same answer. */
export function ask(question: Question): Promise<boolean> {
  if (current?.question === question) return current.answer
  current?.give(false)
  let resolve: (yes: boolean) => void = () => {}
  const answer = new Promise<boolean>((done) => {
    resolve = done
  })
  const give = (yes: boolean): void => {
    current = undefined
    show(undefined)
    resolve(yes)
  }
  current = { question, answer, give }
  show(current)
  return answer
}

/** The question about unsaved input in a form. */
export const DISCARD: Question = { title: 'leave.title', text: 'leave.text', yes: 'leave.discard', no: 'leave.keep' }

/** Shows questions above everything else. Escape and Enter discard nothing. */
export function Asker(): JSX.Element | null {
  const [open, setOpen] = useState<Open | undefined>()
  show = setOpen
  if (open === undefined) return null
  const { question, give } = open
  return (
    <Dialog
      key={question.title}
      role="alertdialog"
      title={t(question.title)}
      onClose={() => give(false)}
      footer={
        <>
          <Button kind="danger-quiet" onClick={() => give(true)}>
            {t(question.yes)}
          </Button>
          <Button kind="primary" first onClick={() => give(false)}>
            {t(question.no)}
          </Button>
        </>
      }
    >
      <p>{t(question.text)}</p>
    </Dialog>
  )
}
