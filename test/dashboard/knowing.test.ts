import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import type { World } from './support/host.js'
import { seed } from './support/seed.js'
import { chooseEveryTenant, confirm, keep, press, stage, type Wanted, wider } from './support/stage.js'

const { path = '', skip } = findChromium()
const HOUR = 3_600_000
const seedOne: NonNullable<Wanted['before']> = ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: ['orders:read'] })
const one: Wanted = { before: seedOne }

describe.skipIf(skip !== undefined)(`what the page claims ${skip ?? ''}`, () => {
  const play = stage(path)

  it('the Revoke dialog does not claim "never used" while the last use is loading or failed to load', () =>
    play(one, async ({ page }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      await page.getByRole('heading', { name: 'ERP' }).waitFor()
      let answer: 'wait' | 'fail' | 'go on' = 'wait'
      await page.route(/\/[0-9A-Za-z]{16}\/usage\?/, async (route) => {
        await expect.poll(() => answer).not.toBe('wait')
        return answer === 'fail' ? route.fulfill({ status: 500, body: '' }) : route.fallback()
      })
      await press(page, 'Revoke')
      const dialog = page.getByRole('dialog', { name: 'Revoke ERP?' })
      await dialog.getByText('Checking when it was last used…').waitFor()
      await expect.poll(() => dialog.getByText(/never been used/).count()).toBe(0)
      answer = 'fail'
      await dialog.getByText('Its usage could not be loaded. Something may depend on it.').waitFor()
      answer = 'go on'
      await dialog.getByText('It has never been used, so nothing is known to depend on it.').waitFor()
    }))

  it('the banner about an old token disappears when its overlap ends', () =>
    play(
      {
        clock: true,
        before: async ({ tokens }) => {
          const { record } = await tokens.system.create({ name: 'ERP', scopes: ['orders:read'] })
          await tokens.system.rotate(record.id, { overlap: '1h' })
        },
      },
      async ({ page, world }) => {
        const { items } = await world.tokens.system.list()
        await page.goto(`${world.url}?token=${items.find(({ replacesId }) => replacesId !== undefined)?.id}`)
        await page.getByText('The token it replaces works until').waitFor()
        await page.clock.fastForward(HOUR + 60_000)
        await expect.poll(() => page.getByText('The token it replaces works until').count()).toBe(0)
      },
    ))

  it('the page does not claim "never used" anywhere when the server does not count usage', () =>
    play({ before: seedOne, options: { usage: false } }, async ({ page }) => {
      await page.getByRole('link', { name: 'ERP' }).waitFor()
      await page.getByRole('checkbox', { name: 'Select ERP' }).check()
      await page.getByRole('region', { name: '1 selected' }).getByRole('button', { name: 'Revoke' }).click()
      await page.getByRole('dialog').getByText('This server does not count usage').waitFor()
      await page.keyboard.press('Escape')
      expect(await page.getByText(/never/i).allTextContents()).toEqual(['Never'])
      expect(await page.getByRole('button', { name: /used/ }).allTextContents()).toEqual(['Last used'])
      await page.getByRole('cell', { name: 'Not counted' }).waitFor()
      await page.getByRole('link', { name: 'ERP' }).click()
      await page.getByText('This server does not count usage.').waitFor()
      await press(page, 'Revoke')
      await page
        .getByRole('dialog')
        .getByText(/so check whether something still uses it/)
        .waitFor()
      await page.keyboard.press('Escape')
      await press(page, 'Rotate')
      await confirm(page, 'Rotate')
      await keep(page)
      await page.getByText(/The token it replaces works until/).waitFor()
      expect(await page.getByText(/never used/i).count()).toBe(0)
    }))

  it('the page marks last uses as outdated when the server no longer counts usage', () =>
    play({ before: seed, options: { usage: false } }, async ({ page }) => {
      const row = page.getByRole('row', { name: /Web shop/ })
      await row.getByText(/^last known 3 minutes ago$/).waitFor()
      await row.getByText('Not counted').waitFor()
      await page.getByRole('checkbox', { name: 'Select Web shop' }).check()
      await page.getByRole('region', { name: '1 selected' }).getByRole('button', { name: 'Revoke' }).click()
      await page.getByRole('dialog').getByText('This server does not count usage').waitFor()
      expect(await page.getByText(/in the last 30 days|The last call/).count()).toBe(0)
      await page.keyboard.press('Escape')
      await page.getByRole('link', { name: 'Web shop' }).click()
      await page.getByRole('region', { name: 'Details' }).getByText('Not counted').waitFor()
      await press(page, 'Rotate')
      await page.getByRole('dialog').getByText('Now', { exact: true }).click()
      await page.getByRole('dialog').getByText('It may or may not be in use.').waitFor()
      expect(
        await page
          .getByRole('dialog')
          .getByText(/last used/)
          .count(),
      ).toBe(0)
      await page.keyboard.press('Escape')
      await page.goto(page.url().split('?')[0] ?? '')
      await page
        .getByRole('row', { name: /Rotating/ })
        .getByRole('link', { name: 'Refund bot' })
        .click()
      await page.getByText(/Rotated. It works alongside its successor .* It may or may not be in use/).waitFor()
    }))

  it('usage is counted correctly for the busiest tokens', () => {
    const busy = async ({ tokens, store }: World): Promise<void> => {
      const { record } = await tokens.system.create({ name: 'Gateway', scopes: ['orders:read'] })
      const hour = Math.floor(Date.now() / 3_600_000) * 3_600_000
      // Within 20 days, because the exact start of a 30-day chart depends on the current hour.
      const counts = Array.from({ length: 480 * 30 }, (_, at) => ({
        tokenId: record.id,
        bucketAt: hour - Math.floor(at / 30) * 3_600_000,
        endpoint: `GET /api/${at % 30}`,
        scope: 'orders:read',
        outcome: 'allowed',
        count: 1,
      }))
      const lastUses = [{ tokenId: record.id, at: Date.now(), ip: '192.0.2.1' }]
      await store.recordUsage({ nodeId: 'n', seq: 1, at: Date.now(), counts, addresses: [], lastUses })
    }
    return play({ before: busy }, async ({ page }) => {
      await page.getByRole('link', { name: 'Gateway' }).click()
      await page.getByText('Its calls in the last 30 days needed all of its scopes.').waitFor()
      for (const range of ['30 days', '90 days']) {
        await press(page, range)
        await expect.poll(() => page.locator('.legend strong').first().textContent()).toBe('14,400')
      }
      await press(page, 'Revoke')
      const counts = page.getByRole('dialog').locator('.break-counts dd')
      await expect.poll(async () => (await counts.allTextContents())[1]).toBe('14,400')
      expect((await counts.allTextContents())[0]).toMatch(/^(?:720|750)$/)
      expect(await page.getByText('Its calls could not be counted.').count()).toBe(0)
    })
  })

  it('the usage section offers to try again after the session has ended, and the list of addresses does not mention the chosen range', () =>
    play(one, async ({ page }) => {
      let signedOut = true
      await page.route(/\/usage\?from/, (route) => (signedOut ? route.fulfill({ status: 401, body: '{}' }) : route.fallback()))
      await page.getByRole('link', { name: 'ERP' }).click()
      const use = page.getByRole('region', { name: 'Usage' })
      await use.getByText('You are not signed in').waitFor()
      signedOut = false
      await use.getByRole('button', { name: 'Try again' }).click()
      await page.getByRole('region', { name: 'By address' }).getByText('No addresses recorded.').waitFor()
      await page.getByRole('region', { name: 'By endpoint' }).getByText('No calls in this period.').waitFor()
    }))

  it('the page does not claim "no calls" when usage failed to load', () =>
    play(one, async ({ page }) => {
      await page.route(/\/usage\?from/, (route) => route.fulfill({ status: 500, body: '' }))
      await page.getByRole('link', { name: 'ERP' }).click()
      const use = page.getByRole('region', { name: 'Usage' })
      await use.getByText('Something went wrong on the server').waitFor()
      expect(await page.getByText('No calls in this period.').count()).toBe(0)
    }))

  it.each([
    // A Thursday morning in London, which is also the browser's time zone.
    ['2026-11-28T09:00:00Z', 'in 2 days'],
    ['2026-11-27T23:30:00Z', 'tomorrow'],
    ['2026-11-26T20:00:00Z', 'in 9 hours'],
    ['2026-11-26T12:59:00Z', 'in 2 hours'],
    ['2026-12-26T11:00:00Z', 'in 30 days'],
    ['2027-11-26T11:00:00Z', 'in 12 months'],
    ['2029-11-26T11:00:00Z', 'in 3 years'],
  ])('the expiry column counts calendar days: %s is %s', (expiresAt, text) =>
    play(
      {
        clock: true,
        context: { timezoneId: 'Europe/London' },
        async before({ tokens, at }) {
          at(Date.parse('2026-11-26T10:00:00Z'))
          await tokens.system.create({ name: 'ERP', scopes: [], expiresAt })
        },
        at: '',
        now: Date.parse('2026-11-26T11:00:00Z'),
      },
      async ({ page }) => {
        await page.getByRole('link', { name: 'ERP' }).waitFor()
        await expect.poll(() => page.locator(`time[datetime="${new Date(expiresAt).toISOString()}"]`).allTextContents()).toContain(text)
      },
    ),
  )

  it('relative times update while the page is open', () =>
    play({ ...one, clock: true }, async ({ page }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      const [created] = [page.locator('.audit time').first()]
      await expect.poll(() => created.textContent()).toBe('just now')
      await page.clock.runFor(2 * HOUR)
      await expect.poll(() => created.textContent()).toBe('2 hours ago')
    }))

  it('statuses update while the page is open: one token expires and another becomes valid', () => {
    const made = async ({ tokens }: World): Promise<void> => {
      await tokens.system.create({ name: 'Ends', scopes: [], expiresIn: '5m' })
      await tokens.system.create({ name: 'Begins', scopes: [], notBefore: Date.now() + 300_000 })
    }
    return play({ before: made, clock: true }, async ({ page }) => {
      const badge = (name: string): Promise<string | null> =>
        page
          .getByRole('row', { name: new RegExp(name) })
          .locator('.badge')
          .textContent()
      await expect.poll(() => badge('Ends')).toBe('Expiring soon')
      await expect.poll(() => badge('Begins')).toBe('Not yet valid')
      await page.clock.runFor(340_000)
      await expect.poll(() => badge('Ends')).toBe('Expired')
      await expect.poll(() => badge('Begins')).toBe('Active')
      await page.getByRole('link', { name: 'Ends' }).click()
      await page.locator('.detail-head .badge', { hasText: 'Expired' }).waitFor()
    })
  })

  it('the usage section can show every endpoint, not only the first eight', () =>
    play(
      {
        async before({ tokens, store }) {
          const { record } = await tokens.system.create({ name: 'ERP', scopes: [] })
          const at = Date.now() - 60_000
          const bucketAt = Math.floor(at / HOUR) * HOUR
          const counts = Array.from({ length: 10 }, (_, index) => ({
            tokenId: record.id,
            bucketAt,
            endpoint: `GET /api/${index}`,
            outcome: 'allowed',
            scope: '',
            count: index + 1,
          }))
          await store.recordUsage({ nodeId: 'n', seq: 1, at, counts, addresses: [], lastUses: [] } as never)
        },
      },
      async ({ page }) => {
        await page.getByRole('link', { name: 'ERP' }).click()
        const list = page.getByRole('region', { name: 'By endpoint' })
        await expect.poll(() => list.getByRole('listitem').count()).toBe(8)
        await list.getByRole('button', { name: 'Show all 10' }).click()
        await expect.poll(() => list.getByRole('listitem').count()).toBe(10)
      },
    ))

  it('a conflict with a revocation does not offer to save', () =>
    play(one, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      await press(page, 'Edit')
      await page.getByRole('dialog').getByLabel('Name').fill('ERP of mine')
      const [{ id } = { id: '' }] = (await world.tokens.system.list()).items
      await world.tokens.as({ id: 'ada', tenants: '*', manages: 'all' }).revoke(id)
      await confirm(page, 'Save changes')
      const conflict = page.getByRole('dialog', { name: 'Someone else changed this token' })
      await conflict.getByText(/It was revoked .* by ada, so it can no longer be changed/).waitFor()
      await conflict.getByText('ERP of mine').waitFor()
      expect(await conflict.getByRole('button', { name: /Save/ }).count()).toBe(0)
      await conflict.getByRole('button', { name: 'Close' }).last().click()
      await expect.poll(() => page.getByRole('button', { name: 'Edit' }).isDisabled()).toBe(true)
    }))

  it('the form reports an invalid address at its field before the review and scrolls to it', () =>
    play({}, async ({ page }) => {
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      const field = dialog.getByLabel('Allowed addresses')
      await chooseEveryTenant(page)
      await dialog.getByLabel('Name').fill('ERP')
      for (const good of ['192.0.2.1', '192.0.2.0/24', '2001:db8::/32, ::1', '10.0.0.1\n10.0.0.2']) {
        await field.fill(good)
        await confirm(page, 'Review')
        await page.getByRole('dialog', { name: 'Review the token' }).waitFor()
        await confirm(page, 'Back to editing')
      }
      for (const bad of ['300.1.1.1', '10.1', '192.0.2.0/33', '2001:db8::/129', 'example.com', '192.0.2.1, x']) {
        await field.fill(bad)
        await dialog.getByLabel('Name').focus()
        await confirm(page, 'Review')
        await dialog.getByText(/is not an address or a range/).waitFor()
        await expect.poll(() => field.evaluate((node) => node === document.activeElement)).toBe(true)
        await expect
          .poll(() =>
            field.evaluate((node) => {
              const { top, bottom } = node.getBoundingClientRect()
              return top >= 0 && bottom <= innerHeight
            }),
          )
          .toBe(true)
      }
    }))
})

describe.skipIf(skip !== undefined)(`the list ${skip ?? ''}`, () => {
  const play = stage(path)

  it('nothing in the list is cut off at any width from 320 to 1920 pixels, even while a token is rotating', () =>
    play({ before: seed }, async ({ page }) => {
      await page.getByRole('link', { name: 'Refund bot' }).last().waitFor()
      for (const width of [320, 390, 600, 861, 1080, 1100, 1280, 1440, 1920]) {
        await page.setViewportSize({ width, height: 900 })
        await page.locator(width > 1136 ? '.table-card' : '.cards').waitFor()
        expect(await wider(page.locator('main')), `${width}`).toEqual([])
      }
    }))
})
