import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import type { World } from './support/host.js'
import { press, stage } from './support/stage.js'

const { path = '', skip } = findChromium()

/** Counts calls at these times. */
async function callsAt({ tokens, store, at: setClock }: World, now: number, times: readonly string[]): Promise<void> {
  setClock(now)
  const { record } = await tokens.system.create({ name: 'ERP', scopes: ['orders:read'], expiresIn: '30d' })
  const counts = times.map((time, index) => ({
    tokenId: record.id,
    bucketAt: Date.parse(time),
    endpoint: 'GET /orders',
    outcome: 'allowed',
    scope: '',
    count: index + 1,
  }))
  await store.recordUsage({ nodeId: 'n', seq: 1, at: now, counts, addresses: [], lastUses: [] } as never)
}

/** The rows of the chart's table, without refused calls. */
const rowsOf = async (page: Page): Promise<string[]> =>
  (await page.locator('.as-table tbody tr').allInnerTexts()).map((text) => text.replace(/\s+/g, ' ').trim().replace(/ 0$/, ''))

describe.skipIf(skip !== undefined)(`clock changes ${skip ?? ''}`, () => {
  const play = stage(path)

  it.each([
    [
      'forward',
      '2027-04-05T10:00:00+02:00',
      ['2027-03-20T01:00:00+01:00', '2027-03-28T00:00:00+01:00', '2027-03-28T23:00:00+02:00', '2027-04-05T08:00:00+02:00'],
      ['20 Mar, 0:00 1', '28 Mar, 0:00 5', '5 Apr, 0:00 4'],
    ],
    [
      'back',
      '2026-11-10T10:00:00+01:00',
      ['2026-10-20T00:00:00+02:00', '2026-10-25T00:00:00+02:00', '2026-10-25T23:00:00+01:00', '2026-11-10T08:00:00+01:00'],
      ['20 Oct, 0:00 1', '25 Oct, 0:00 5', '10 Nov, 0:00 4'],
    ],
  ])('daily bars begin at midnight before and after the clocks go %s', (_, time, calls, rows) => {
    const now = Date.parse(time)
    return play(
      { clock: true, now, context: { timezoneId: 'Europe/Berlin' }, before: (world) => callsAt(world, now, calls) },
      async ({ page }) => {
        await page.getByRole('link', { name: 'ERP' }).click()
        await press(page, '30 days')
        await page.locator('.as-table summary').click()
        await expect.poll(() => rowsOf(page)).toEqual(rows)
      },
    )
  })

  it.each([
    ['half past', 'Asia/Kolkata', '+05:30', '23:30', '2027-03-27T18:00:00Z'],
    ['a quarter past', 'Asia/Kathmandu', '+05:45', '23:45', '2027-03-27T18:00:00Z'],
    ['half past, in the west', 'America/St_Johns', '-02:30', '23:30', '2027-03-28T02:00:00Z'],
  ])('the hour around midnight counts toward the new day where UTC hours begin at %s', (_, timezoneId, offset, begins, around) => {
    const now = Date.parse(`2027-04-05T10:00:00${offset}`)
    const before = new Date(Date.parse(around) - 3_600_000).toISOString()
    return play(
      { clock: true, now, context: { timezoneId }, before: (world) => callsAt(world, now, [before, around]) },
      async ({ page }) => {
        await page.getByRole('link', { name: 'ERP' }).click()
        await press(page, '24 hours')
        await expect.poll(() => page.getByText(/each day here begins/).count()).toBe(0)
        await press(page, '30 days')
        await page.locator('.as-table summary').click()
        await expect.poll(() => rowsOf(page)).toEqual(['27 Mar, 0:00 1', '28 Mar, 0:00 2'])
        await page.getByText(`so each day here begins at ${begins}.`).waitFor()
      },
    )
  })
})
