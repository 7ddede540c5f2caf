/** Moves the focus to the title of the current view, if nothing has the focus. */
export function focusMain(): void {
  const { activeElement } = document
  if (activeElement !== null && activeElement !== document.body) return
  const place = document.querySelector<HTMLElement>('main h1[tabindex]') ?? document.querySelector<HTMLElement>('main')
  place?.focus({ preventScroll: true })
}

/** Moves the focus to the first invalid field, once it is rendered. */
export function focusWrong(): void {
  requestAnimationFrame(() => {
    const wrong = document.querySelector<HTMLElement>('[aria-invalid="true"], [data-wrong]')
    wrong?.focus()
    wrong?.scrollIntoView({ block: 'center' })
  })
}

/** When the focused element is removed or disabled, such as a bar whose work is done, moves the focus to the title. */
export function keepFocus(place: Element): void {
  let last: Element | null = null
  const isLost = (): boolean =>
    last !== null && (!last.isConnected || last.matches(':disabled')) && document.activeElement === document.body
  document.addEventListener('focusin', ({ target }) => {
    last = target instanceof Element ? target : null
  })
  // The browser removes the focus from a disabled element only in the next frame.
  const check = (): void => void requestAnimationFrame(() => isLost() && focusMain())
  new MutationObserver(check).observe(place, { childList: true, subtree: true, attributeFilter: ['disabled'] })
}
