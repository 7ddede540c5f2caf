import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { seed } from './support/seed.js'
import { confirm, keep, press, stage } from './support/stage.js'

const { path = '', skip } = findChromium()

const openMenu = async (page: Page, name: string): Promise<void> => page.getByRole('button', { name: `Actions for ${name}` }).click()
const pick = (page: Page, item: string): Promise<void> => page.getByRole('menuitem', { name: item, exact: true }).click()
const focused = (page: Page): Promise<string | null | undefined> => page.evaluate(() => document.activeElement?.textContent)

describe.skipIf(skip !== undefined)(`the row menu ${skip ?? ''}`, () => {
  const play = stage(path)

  it('the row menu edits, rotates, deactivates and revokes a token and copies its ID', () => {
    let ids: ReadonlyMap<string, string> = new Map()
    return play(
      { before: async (world) => (ids = await seed(world)), context: { permissions: ['clipboard-read', 'clipboard-write'] } },
      async ({ page, world }) => {
        const record = () => world.tokens.system.get(ids.get('Price feed') ?? '')
        await openMenu(page, 'Price feed')
        await pick(page, 'Copy ID')
        await page.getByText('Copied', { exact: true }).first().waitFor()
        expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(ids.get('Price feed'))
        await openMenu(page, 'Price feed')
        await pick(page, 'Edit')
        await page.getByRole('dialog').getByLabel('Description').fill('edited from the row')
        await confirm(page, 'Save changes')
        await page.getByText('edited from the row').waitFor()
        await openMenu(page, 'Price feed')
        await pick(page, 'Deactivate')
        await page.getByText('Token deactivated').waitFor()
        await expect.poll(async () => (await record())?.status).toBe('inactive')
        await page
          .getByRole('row', { name: /Price feed/ })
          .getByText('Inactive', { exact: true })
          .waitFor()
        await openMenu(page, 'Price feed')
        await expect.poll(() => page.getByRole('menuitem', { name: 'Rotate' }).getAttribute('aria-disabled')).toBe('true')
        await pick(page, 'Activate')
        await expect.poll(async () => (await record())?.status).toBe('active')
        await page.getByText('Token activated').waitFor()
        await openMenu(page, 'Price feed')
        await pick(page, 'Rotate')
        await confirm(page, 'Rotate')
        await keep(page)
        await expect.poll(() => page.getByRole('link', { name: 'Price feed' }).count()).toBe(2)
        await openMenu(page, 'Web shop')
        await pick(page, 'Revoke')
        await confirm(page, 'Revoke permanently')
        await expect.poll(async () => (await world.tokens.system.get(ids.get('Web shop') ?? ''))?.status).toBe('revoked')
      },
    )
  })

  it('the row menu of a revoked token enables only Copy ID', () =>
    play({ before: seed }, async ({ page, world }) => {
      await openMenu(page, 'Contractor laptop')
      const items = page.getByRole('menuitem')
      await expect.poll(() => items.allTextContents()).toEqual(['Edit', 'Rotate', 'Deactivate', 'Copy ID', 'Revoke'])
      await expect
        .poll(() => items.evaluateAll((all) => all.map((item) => item.getAttribute('aria-disabled'))))
        .toEqual(['true', 'true', 'true', null, 'true'])
      const before = world.seen.length
      for (const name of ['Edit', 'Deactivate', 'Revoke']) await page.getByRole('menuitem', { name }).click({ force: true })
      expect(await page.getByRole('dialog').count()).toBe(0)
      expect(world.seen.slice(before).filter(({ method }) => method !== 'GET')).toEqual([])
    }))

  it('the row menu works by keyboard and returns focus to its button', () =>
    play({ before: seed }, async ({ page }) => {
      const button = page.getByRole('button', { name: 'Actions for Price feed' })
      await button.focus()
      await page.keyboard.press('Enter')
      await expect.poll(() => focused(page)).toBe('Edit')
      await page.keyboard.press('ArrowUp')
      await expect.poll(() => focused(page)).toBe('Revoke')
      await page.keyboard.press('ArrowDown')
      await expect.poll(() => focused(page)).toBe('Edit')
      await page.keyboard.press('End')
      await expect.poll(() => focused(page)).toBe('Revoke')
      await page.keyboard.press('Escape')
      await expect.poll(() => page.getByRole('menu').count()).toBe(0)
      await expect.poll(() => button.evaluate((node) => node === document.activeElement)).toBe(true)
      await page.keyboard.press('Enter')
      await expect.poll(() => focused(page)).toBe('Edit')
      await page.keyboard.press('End')
      await page.keyboard.press('Enter')
      await page.getByRole('dialog', { name: 'Revoke Price feed?' }).waitFor()
      await page.keyboard.press('Escape')
      await expect.poll(() => button.evaluate((node) => node === document.activeElement)).toBe(true)
    }))

  it('status badges are green for active tokens and red for inactive or revoked tokens', () =>
    play({ before: seed }, async ({ page }) => {
      await page.getByRole('link', { name: 'Price feed' }).waitFor()
      const ink = (status: string): Promise<string> =>
        page
          .locator('.badge', { hasText: new RegExp(`^${status}$`) })
          .first()
          .evaluate((node) => {
            const [red = 0, green = 0] = (getComputedStyle(node).color.match(/\d+/g) ?? []).map(Number)
            return red > green ? 'red' : 'green'
          })
      expect([await ink('Active'), await ink('Inactive'), await ink('Revoked')]).toEqual(['green', 'red', 'red'])
    }))
})

describe.skipIf(skip !== undefined)(`before a token is revoked ${skip ?? ''}`, () => {
  const play = stage(path)

  it('the Revoke dialog shows how often a token was used, on which endpoints, from where, and when it was last used', () => {
    let ids: ReadonlyMap<string, string> = new Map()
    return play({ before: async (world) => (ids = await seed(world)) }, async ({ page, world }) => {
      const usage = await world.tokens.system.usage(ids.get('Web shop') ?? '', { from: new Date(Date.now() - 30 * 86_400_000) })
      await openMenu(page, 'Web shop')
      await pick(page, 'Revoke')
      const dialog = page.getByRole('dialog', { name: 'Revoke Web shop?' })
      await dialog.getByText(/^It was last used .* from 192\.0\.2\.17\. Calls from there will fail\.$/).waitFor()
      const counts = dialog.locator('.break-counts dd')
      await expect.poll(() => counts.count()).toBe(2)
      const [day = 0, month = 0] = (await counts.allTextContents()).map((text) => Number(text.replaceAll(',', '')))
      expect(day).toBeGreaterThan(0)
      expect(month).toBeGreaterThan(day)
      expect(Math.abs(month - usage.total)).toBeLessThan(usage.total / 20)
      expect(await dialog.locator('.break-list code').allTextContents()).toEqual(
        expect.arrayContaining(['GET /api/stock/:id', 'GET /api/orders', '192.0.2.17']),
      )
    })
  })

  it('the Revoke dialog says that calls could not be counted instead of claiming that there were none', () =>
    play({ before: seed }, async ({ page }) => {
      await page.route(/\/[0-9A-Za-z]{16}\/usage\?/, (route) => route.fulfill({ status: 500, body: '' }))
      await openMenu(page, 'Web shop')
      await pick(page, 'Revoke')
      const dialog = page.getByRole('dialog')
      await dialog.getByText('Its calls could not be counted.').waitFor()
      await dialog.getByText(/^It was last used /).waitFor()
      expect(await dialog.locator('.break-counts').count()).toBe(0)
    }))

  it('the page of a rotated token offers to revoke the old token and shows its usage', () => {
    let ids: ReadonlyMap<string, string> = new Map()
    return play({ before: async (world) => (ids = await seed(world)) }, async ({ page, world }) => {
      await page.goto(`${world.url}?token=${ids.get('Refund bot (new)')}`)
      await page.getByText(/The old token was last used/).waitFor()
      await press(page, 'Revoke the old token now')
      await page.getByRole('dialog').getByText('Calls in 30 days').waitFor()
      await confirm(page, 'Revoke permanently')
      await expect.poll(async () => (await world.tokens.system.get(ids.get('Refund bot') ?? ''))?.status).toBe('revoked')
      expect((await world.tokens.system.get(ids.get('Refund bot (new)') ?? ''))?.status).toBe('active')
      await expect.poll(() => page.getByText(/The token it replaces works until/).count()).toBe(0)
    })
  })

  it('the page of a token lists scopes that no call needed and removes them on request', () => {
    let id = ''
    return play(
      {
        async before({ tokens, store }) {
          const scopes = ['inventory:*', 'orders:read', 'orders:refund', '@finance']
          id = (await tokens.system.create({ name: 'ERP', scopes: scopes as never })).record.id
          const at = Date.now()
          const bucketAt = Math.floor(at / 3_600_000) * 3_600_000
          const use = (scope: string, outcome = 'allowed') => ({
            tokenId: id,
            bucketAt,
            endpoint: `GET /${scope}`,
            outcome,
            scope,
            count: 3,
          })
          const counts = [use('inventory:read orders:read'), use('orders:refund', 'rate_limited')]
          await store.recordUsage({ nodeId: 'n', seq: 1, at, counts, addresses: [], lastUses: [{ tokenId: id, at }] })
        },
      },
      async ({ page, world }) => {
        await page.getByRole('link', { name: 'ERP' }).click()
        await press(page, 'Remove 2 unused scopes')
        await page.route(/\/[0-9A-Za-z]{16}$/, async (route) => {
          if (route.request().method() !== 'PATCH') return route.fallback()
          await route.fetch()
          await route.abort('connectionreset')
        })
        await confirm(page, 'Remove scopes')
        await page.getByRole('dialog').getByText('It may have been saved anyway.').waitFor()
        await page.unrouteAll()
        await confirm(page, 'Remove scopes')
        await page.getByText('Changes saved').waitFor()
        await page.getByText('Its calls in the last 30 days needed all of its scopes.').waitFor()
        expect((await world.tokens.system.get(id))?.scopes).toEqual(['inventory:*', 'orders:read'])
      },
    )
  })

  it('the page of a token without calls suggests no scopes to remove', () =>
    play({ before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: ['orders:read'] }) }, async ({ page }) => {
      await page.getByRole('link', { name: 'ERP' }).click()
      await page.getByText('No calls in the last 30 days, so the scopes that it needs are unknown.').waitFor()
      expect(await page.getByRole('button', { name: /unused scope/ }).count()).toBe(0)
    }))
})
