import type { JSX } from 'preact'
import { useId, useRef } from 'preact/hooks'
import { t } from '../lib/text.js'
import { Icon } from '../ui/icons.js'
import { placeBelow } from '../ui/menu.js'
import type { Column } from './columns.js'

type Props = {
  readonly columns: readonly Column[]
  readonly chosen: ReadonlySet<string>
  readonly onChange: (chosen: ReadonlySet<string>) => void
}

/** Lets a person choose the columns of the list. */
export function Chooser({ columns, chosen, onChange }: Props): JSX.Element {
  const id = useId()
  const button = useRef<HTMLButtonElement>(null)
  const panel = useRef<HTMLFieldSetElement>(null)
  const toggle = (column: string): void => {
    const next = new Set(chosen)
    if (!next.delete(column)) next.add(column)
    onChange(next)
  }
  return (
    <>
      <button ref={button} type="button" class="button plain" popovertarget={id}>
        <Icon name="columns" />
        <span>{t('list.columns')}</span>
      </button>
      <fieldset
        ref={panel}
        id={id}
        popover="auto"
        class="menu chooser"
        onToggle={() => panel.current && button.current && placeBelow(panel.current, button.current)}
      >
        <legend class="hidden">{t('list.columns')}</legend>
        {columns.map((column) => (
          <label key={column.id}>
            <input type="checkbox" checked={chosen.has(column.id)} onChange={() => toggle(column.id)} />
            <bdi>{column.label}</bdi>
          </label>
        ))}
      </fieldset>
    </>
  )
}
