import type { JSX, TargetedEvent } from 'preact'
import { Icon, type IconName } from './icons.js'
import { usePopover } from './popover.js'

export type MenuItem = {
  readonly label: string
  readonly icon: IconName
  readonly disabled?: boolean
  readonly danger?: boolean
  readonly onPick: () => void
}

/** A button that opens a menu. */
export function Menu({ label, items }: { readonly label: string; readonly items: readonly MenuItem[] }): JSX.Element {
  const { open, close, opener, panel } = usePopover<HTMLDivElement>((menu) => move(menu, 0))
  const pick = ({ disabled, onPick }: MenuItem): void => {
    if (disabled) return
    close()
    onPick()
  }
  return (
    <>
      <button {...opener} class="icon-button" aria-label={label} title={label} aria-haspopup="menu">
        <Icon name="more" />
      </button>
      <div {...panel} role="menu" aria-label={label} class="menu" onKeyDown={steer}>
        {open &&
          items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              class={item.danger ? 'danger' : undefined}
              aria-disabled={item.disabled || undefined}
              onClick={() => pick(item)}
            >
              <Icon name={item.icon} />
              {item.label}
            </button>
          ))}
      </div>
    </>
  )
}

const itemsOf = (menu: Element): readonly HTMLElement[] => [...menu.querySelectorAll<HTMLElement>('[role="menuitem"]')]

function move(menu: Element, to: number): void {
  itemsOf(menu).at(to)?.focus()
}

function steer(event: TargetedEvent<HTMLElement, KeyboardEvent>): void {
  const menu = event.currentTarget
  const items = itemsOf(menu)
  const at = items.findIndex((item) => item.matches(':focus'))
  const next: { readonly [key: string]: number } = { ArrowDown: (at + 1) % items.length, ArrowUp: at - 1, Home: 0, End: -1 }
  const to = next[event.key]
  if (event.key === 'Tab') menu.hidePopover()
  if (to === undefined) return
  event.preventDefault()
  move(menu, to)
}
