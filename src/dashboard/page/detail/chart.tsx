import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { briefDay, clockTime, number } from '../lib/format.js'
import type { Bar } from './series.js'

const HEIGHT = 200
const DAY_SECONDS = 86_400
/** The intervals between dates on the axis. The default intervals can be half a day, and the same date would be shown twice. */
const WHOLE_DAYS = [1, 2, 3, 7, 14, 30].map((days) => days * DAY_SECONDS)

/** Bars over time: allowed uses, with refused ones on top. A table provides the same data to screen readers. */
export function Chart({ bars, onPoint }: { readonly bars: readonly Bar[]; readonly onPoint: (bar: Bar | undefined) => void }): JSX.Element {
  const place = useRef<HTMLDivElement>(null)
  const told = useRef(onPoint)
  told.current = onPoint
  useEffect(() => {
    const element = place.current
    if (element === null) return
    let plot = draw(element, bars, (bar) => told.current(bar))
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }))
    observer.observe(element)
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    const redraw = (): void => {
      plot.destroy()
      plot = draw(element, bars, (bar) => told.current(bar))
    }
    scheme.addEventListener('change', redraw)
    return () => {
      observer.disconnect()
      scheme.removeEventListener('change', redraw)
      plot.destroy()
    }
  }, [bars])
  return <div class="chart" ref={place} aria-hidden="true" />
}

function draw(element: HTMLElement, bars: readonly Bar[], onPoint: (bar: Bar | undefined) => void): uPlot {
  const colour = colours(element)
  const paths = uPlot.paths.bars?.({ size: [0.72, 28, 2], radius: 0.15 })
  const series = (stroke: string): uPlot.Series => ({ fill: stroke, stroke, width: 0, points: { show: false }, ...(paths && { paths }) })
  const axis = { stroke: colour('--muted'), font: `11px ${getComputedStyle(element).fontFamily}`, ticks: { show: false } }
  const step = (bars[1]?.at ?? 0) - (bars[0]?.at ?? 0)
  return new uPlot(
    {
      width: element.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { time: true, range: (_, from, to) => [from - step / 2000, to + step / 2000] },
        y: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] },
      },
      axes: [
        {
          ...axis,
          ...(!isHourly(step) && { incrs: WHOLE_DAYS }),
          grid: { show: false },
          values: (_, at) => at.map((second) => (isHourly(step) ? clockTime : briefDay)(second * 1000)),
          space: 72,
          size: 28,
        },
        {
          ...axis,
          grid: { stroke: colour('--line'), width: 1 },
          values: (_, values) => values.map((value) => (Number.isInteger(value) ? number(value) : '')),
          size: 48,
        },
      ],
      series: [{}, series(colour('--bad')), series(colour('--accent'))],
      hooks: { setCursor: [(plot) => onPoint(plot.cursor.idx == null ? undefined : bars[plot.cursor.idx])] },
    },
    // The total is drawn first and the allowed part over it, so the rest at the top is the refused part.
    [bars.map(({ at }) => at / 1000), bars.map(({ allowed, refused }) => allowed + refused), bars.map(({ allowed }) => allowed)],
    element,
  )
}

const isHourly = (step: number): boolean => step < 4_000_000

// A canvas does not support custom properties, so the color is read from an element that has it.
function colours(element: HTMLElement): (name: string) => string {
  const probe = document.createElement('span')
  element.append(probe)
  return (name) => {
    probe.style.color = `var(${name})`
    return getComputedStyle(probe).color
  }
}
