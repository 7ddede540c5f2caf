import type { RefObject } from 'preact'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'

type Popover<Panel extends HTMLElement> = {
  readonly open: boolean
  readonly close: () => void
  /** Attributes of the button that opens the popover. */
  readonly opener: {
    readonly ref: RefObject<HTMLButtonElement | null>
    readonly type: 'button'
    readonly popovertarget: string
    readonly 'aria-expanded': boolean
  }
  /** Attributes of the popover itself. */
  readonly panel: {
    readonly ref: RefObject<Panel | null>
    readonly id: string
    readonly popover: 'auto'
    readonly onToggle: (event: { readonly newState: string }) => void
  }
}

const GAP = 4

/** A button that opens a native popover. Escape and a click elsewhere close it, and the focus returns to the button. */
export function usePopover<Panel extends HTMLElement>(onOpen?: (panel: Panel) => void): Popover<Panel> {
  const id = useId()
  const button = useRef<HTMLButtonElement>(null)
  const panel = useRef<Panel>(null)
  const [open, setOpen] = useState(false)
  useLayoutEffect(() => {
    const shown = panel.current
    if (!open || shown === null || button.current === null) return
    placeBelow(shown, button.current)
    onOpen?.(shown)
    // When the window is resized, the button moves.
    const hide = (): void => shown.hidePopover()
    addEventListener('resize', hide)
    return () => removeEventListener('resize', hide)
  }, [open])
  return {
    open,
    close: () => panel.current?.hidePopover(),
    opener: { ref: button, type: 'button', popovertarget: id, 'aria-expanded': open },
    panel: { ref: panel, id, popover: 'auto', onToggle: (event) => setOpen(event.newState === 'open') },
  }
}

// Positioned in JavaScript, because CSS anchors are too new for the browsers that the page supports.
function placeBelow(panel: HTMLElement, button: HTMLElement): void {
  const { left, right, top, bottom } = button.getBoundingClientRect()
  const { width, height } = panel.getBoundingClientRect()
  // The popover ends where the button ends or, if there is no room for that, begins where the button begins.
  const starts = [right - width, left]
  if (getComputedStyle(button).direction === 'rtl') starts.reverse()
  const furthest = innerWidth - width - GAP
  const start = starts.find((at) => at >= GAP && at <= furthest) ?? Math.max(GAP, Math.min(left, furthest))
  const below = bottom + GAP + height <= innerHeight
  panel.style.left = `${start}px`
  panel.style.top = `${below ? bottom + GAP : Math.max(GAP, top - GAP - height)}px`
}
