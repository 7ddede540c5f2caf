import type { JSX } from 'preact'

const PATHS = {
  search: 'M11 11l3.5 3.5M12.5 7a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0z',
  plus: 'M8 2.5v11M2.5 8h11',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  check: 'M2.5 8.5l3.5 3.5 7.5-8',
  close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  back: 'M9.5 3L4.5 8l5 5',
  next: 'M6.5 3l5 5-5 5',
  up: 'M8 13V3M4 7l4-4 4 4',
  down: 'M8 3v10M4 9l4 4 4-4',
  rotate: 'M13.5 3v3.5H10M2.5 13V9.5H6M12.9 6.5A5.5 5.5 0 0 0 3.4 5M3.1 9.5A5.5 5.5 0 0 0 12.6 11',
  edit: 'M10.5 3l2.5 2.5L5.5 13H3v-2.5z',
  pause: 'M5.5 3v10M10.5 3v10',
  play: 'M4.5 3l8 5-8 5z',
  ban: 'M3.8 3.8l8.4 8.4M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0z',
  key: 'M9.5 6.5a3.5 3.5 0 1 0-2.7 3.4L8 11h1.5v1.5H11V14h3v-2.5L9.4 6.9M5.5 5.5h.01',
  warn: 'M8 6v3.5M8 12h.01M8 1.8L15 14H1z',
  info: 'M8 7.5V12M8 4.8h.01M14.5 8a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0z',
  clock: 'M8 4.5V8l2.5 1.5M14.5 8a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0z',
  cloud: 'M2 2l12 12M5.2 5.6A4 4 0 0 0 4.5 13h8M13.6 11.6A3 3 0 0 0 11.5 7 4 4 0 0 0 7.6 4.6',
  more: 'M3 7.9v.2M8 7.9v.2M13 7.9v.2',
  columns: 'M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10',
  lock: 'M3.5 7.5h9v6.5h-9zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5',
} as const

export type IconName = keyof typeof PATHS

/** Icons that point in the reading direction. */
const FLIPPED: ReadonlySet<IconName> = new Set(['back', 'next', 'play'])

/** A decorative icon next to text. */
export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class={FLIPPED.has(name) ? 'icon flip' : 'icon'} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  )
}
