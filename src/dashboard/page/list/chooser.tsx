import type { JSX } from 'preact'
import { t } from '../lib/text.js'
import { Icon } from '../ui/icons.js'
import { usePopover } from '../ui/popover.js'
import type { Column } from './columns.js'

type Props = {
  readonly columns: readonly Column[]
  readonly chosen: ReadonlySet<string>
  readonly onChange: (chosen: ReadonlySet<string>) => void
}

/** Lets a person choose the columns of the list. */
export function Chooser({ columns, chosen, onChange }: Props): JSX.Element {
  const { opener, panel } = usePopover<HTMLFieldSetElement>()
  const toggle = (column: string): void => {
    const next = new Set(chosen)
    if (!next.delete(column)) next.add(column)
    onChange(next)
  }
  return (
    <>
      <button {...opener} class="button plain">
        <Icon name="columns" />
        <span>{t('list.columns')}</span>
      </button>
      <fieldset {...panel} class="menu chooser">
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
