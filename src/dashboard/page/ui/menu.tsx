import type { JSX } from 'preact'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Icon, type IconName } from './icons.js'

export type MenuItem = {
  readonly label: string
  readonly icon: IconName
  readonly disabled?: boolean
  readonly danger?: boolean
  readonly onPick: () => void
}

const GAP = 4

/** A button that opens a menu, as a popover of the platform: Escape and a click elsewhere close it, and the focus comes back to the button. */
export function Menu({ label, items }: { readonly label: string; readonly items: readonly MenuItem[] }): JSX.Element {
  const id = useId()
  const button = useRef<HTMLButtonElement>(null)
  const menu = useRef<HTMLDivElement>(null)
  const [open, setOpen] = useState(false)
  useLayoutEffect(() => {
    if (!open || menu.current === null || button.current === null) return
    placeBelow(menu.current, button.current)
    move(menu.current, 0)
  }, [open])
  const pick = ({ disabled, onPick }: MenuItem): void => {
    if (disabled) return
    menu.current?.hidePopover()
    onPick()
  }
  return (
    <>
      <button
        ref={button}
        type="button"
        class="icon-button"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        popovertarget={id}
      >
        <Icon name="more" />
      </button>
      <div
        ref={menu}
        id={id}
        popover="auto"
        role="menu"
        aria-label={label}
        class="menu"
        onToggle={(event) => setOpen(event.newState === 'open')}
        onKeyDown={(event) => steer(event, menu.current)}
      >
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

function steer(event: KeyboardEvent, menu: HTMLElement | null): void {
  if (menu === null) return
  const items = itemsOf(menu)
  const at = items.findIndex((item) => item.matches(':focus'))
  const next: { readonly [key: string]: number } = { ArrowDown: (at + 1) % items.length, ArrowUp: at - 1, Home: 0, End: -1 }
  const to = next[event.key]
  if (event.key === 'Tab') menu.hidePopover()
  if (to === undefined) return
  event.preventDefault()
  move(menu, to)
}

/** Puts a popover at its button. By hand, because anchors in CSS are too new for the browsers that the page supports. */
export function placeBelow(menu: HTMLElement, button: HTMLElement): void {
  const { left, right, top, bottom } = button.getBoundingClientRect()
  const { width, height } = menu.getBoundingClientRect()
  const start = getComputedStyle(button).direction === 'rtl' ? left : right - width
  const below = bottom + GAP + height <= innerHeight
  menu.style.left = `${Math.max(GAP, Math.min(start, innerWidth - width - GAP))}px`
  menu.style.top = `${below ? bottom + GAP : Math.max(GAP, top - GAP - height)}px`
  // Where the window changes, its button is elsewhere.
  addEventListener('resize', () => menu.matches(':popover-open') && menu.hidePopover(), { once: true })
}
