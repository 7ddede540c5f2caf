import type { JSX } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import { call } from '../lib/api.js'
import { briefMoment, clockTime, number, spanText } from '../lib/format.js'
import { useLoad } from '../lib/hooks.js'
import { useSpan } from '../lib/span.js'
import { t } from '../lib/text.js'
import type { Usage } from '../lib/types.js'
import { useWorld } from '../lib/world.js'
import { Button } from '../ui/button.js'
import { ProblemLine } from '../ui/problem.js'
import { Ago } from '../ui/time.js'
import { Chart } from './chart.js'
import { type Bar, barsOf, countedFrom, endpointsOf, hoursOf, periodsOf, RANGES, type Range, type Share, startsOf } from './series.js'

const MOST_ROWS = 8

/** Usage of a token over time, by endpoint and by address. */
export function Activity({ id }: { readonly id: string }): JSX.Element {
  const { usageCounted } = useWorld()
  if (usageCounted) return <Counted id={id} />
  return (
    <section class="card" aria-labelledby="use">
      <h2 id="use">{t('use.title')}</h2>
      <p class="muted none">{t('use.notCounted')}</p>
    </section>
  )
}

function Counted({ id }: { readonly id: string }): JSX.Element {
  const kept = useSpan(hoursOf('quarter'))
  // For a time before the oldest counts that are kept, an empty chart would suggest that there were no calls.
  const ranges = (Object.keys(RANGES) as Range[]).filter((name) => name === 'day' || hoursOf(name) <= kept)
  const [range, setRange] = useState<Range>(ranges.includes('week') ? 'week' : 'day')
  const { data, problem, reload } = useLoad(`${id} ${range}`, async (signal) => {
    const starts = startsOf(range)
    const parts = await Promise.all(periodsOf(range, starts).map((period) => loadPeriod(id, period, RANGES[range].step, signal)))
    const buckets = parts.flatMap((part) => part.buckets)
    return { bars: barsOf({ buckets }, starts), endpoints: endpointsOf({ buckets }), addresses: parts.at(-1)?.addresses ?? [] }
  })
  return (
    <>
      <section class="card" aria-labelledby="use">
        <div class="card-head">
          <h2 id="use">{t('use.title')}</h2>
          <fieldset class="segments">
            <legend class="hidden">{t('use.range')}</legend>
            {ranges.map((name) => (
              <button key={name} type="button" aria-pressed={range === name} onClick={() => setRange(name)}>
                {spanText(hoursOf(name))}
              </button>
            ))}
          </fieldset>
        </div>
        {data ? <OverTime bars={data.bars} /> : <div class="chart chart-none-yet">{!problem && t('use.loading')}</div>}
        {kept < hoursOf('quarter') && <p class="sub">{t('use.kept', { span: spanText(kept) })}</p>}
        <ProblemLine problem={problem} reload={reload} />
      </section>
      {data && (
        <div class="two-cards">
          <section class="card" aria-labelledby="endpoints">
            <h2 id="endpoints">{t('use.endpoints')}</h2>
            <Shares
              none={t('use.none')}
              shares={data.endpoints.map((share) => ({ ...share, label: share.label || t('use.unknownEndpoint') }))}
            />
          </section>
          <section class="card" aria-labelledby="addresses">
            <h2 id="addresses">
              {t('use.addresses')} <span class="aside">{t('use.addressesNote')}</span>
            </h2>
            <Shares
              none={t('use.noAddresses')}
              shares={data.addresses.map(({ ip, count, lastAt }) => ({
                label: ip,
                allowed: count,
                refused: 0,
                note: <Ago at={lastAt} />,
              }))}
            />
          </section>
        </div>
      )}
    </>
  )
}

type Period = ReturnType<typeof periodsOf>[number]

const loadPeriod = (id: string, { from, to }: Period, step: number, signal: AbortSignal): Promise<Usage> =>
  call('GET', `${id}/usage`, {
    query: { from: isoOf(from), ...(to !== undefined && { to: isoOf(to) }), step: step / 1000 },
    signal,
  })

const isoOf = (at: number): string => new Date(at).toISOString()

function OverTime({ bars }: { readonly bars: readonly Bar[] }): JSX.Element {
  const [point, setPoint] = useState<Bar | undefined>()
  const sum = useMemo(
    () =>
      bars.reduce((all, bar) => ({ allowed: all.allowed + bar.allowed, refused: all.refused + bar.refused }), { allowed: 0, refused: 0 }),
    [bars],
  )
  // Bars of several hours begin with a whole day.
  const midnight = bars[0]?.at ?? 0
  const used = bars.filter(({ allowed, refused }) => allowed + refused > 0)
  return (
    <>
      <p class="legend">
        <span class="key allowed">
          <strong>{number(point?.allowed ?? sum.allowed)}</strong> {t('use.allowed')}
        </span>
        <span class="key refused">
          <strong>{number(point?.refused ?? sum.refused)}</strong> {t('use.refused')}
        </span>
        <span class="muted">{point && briefMoment(point.at)}</span>
      </p>
      <div class="chart-place">
        <Chart bars={bars} onPoint={setPoint} />
        {used.length === 0 && <p class="chart-none">{t('use.none')}</p>}
      </div>
      {countedFrom(midnight) < midnight && <p class="sub">{t('use.hours', { time: clockTime(countedFrom(midnight)) })}</p>}
      {used.length > 0 && (
        <details class="as-table">
          <summary>{t('use.table')}</summary>
          <table class="small-table">
            <thead>
              <tr>
                <th scope="col">{t('use.time')}</th>
                <th scope="col">{t('use.allowed')}</th>
                <th scope="col">{t('use.refused')}</th>
              </tr>
            </thead>
            <tbody>
              {used.map(({ at, allowed, refused }) => (
                <tr key={at}>
                  <th scope="row">{briefMoment(at)}</th>
                  <td>{number(allowed)}</td>
                  <td>{number(refused)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
    </>
  )
}

/** Counts as horizontal bars, with refused calls in another color. */
function Shares(props: { readonly none: string; readonly shares: readonly (Share & { readonly note?: JSX.Element })[] }): JSX.Element {
  const { none, shares } = props
  const [all, setAll] = useState(false)
  if (shares.length === 0) return <p class="muted none">{none}</p>
  const most = Math.max(...shares.map(({ allowed, refused }) => allowed + refused))
  const part = (count: number): string => `${(count / most) * 100}%`
  const hidden = shares.length - MOST_ROWS
  return (
    <>
      <ul class="shares">
        {(all ? shares : shares.slice(0, MOST_ROWS)).map(({ label, allowed, refused, note }) => (
          <li key={label} title={t('use.sum', { allowed, refused })}>
            <span class="share-label">
              <code title={label}>{label}</code>
              {note && <span class="muted">{note}</span>}
            </span>
            <span class="share-count">{number(allowed + refused)}</span>
            <svg class="share-bar" aria-hidden="true" width="100%" height="6">
              <rect class="allowed" width={part(allowed)} height="6" rx="3" />
              {refused > 0 && <rect class="refused" x={part(allowed)} width={part(refused)} height="6" rx="3" />}
            </svg>
          </li>
        ))}
      </ul>
      {hidden > 0 && (
        <Button kind="quiet" onClick={() => setAll(!all)}>
          {all ? t('use.less') : t('use.all', { count: shares.length })}
        </Button>
      )}
    </>
  )
}
