import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { expressWith, type World } from './support/host.js'
import { seed } from './support/seed.js'
import { confirm, press, stage } from './support/stage.js'

const { path = '', skip } = findChromium()

const choose = async (page: Page, typed: string, option: string): Promise<void> => {
  await page.getByRole('button', { name: /^Tenant: / }).click()
  const field = page.getByRole('searchbox', { name: 'Search by name or ID' })
  await expect.poll(() => field.evaluate((node) => node === document.activeElement)).toBe(true)
  await field.fill(typed)
  await page.getByRole('dialog', { name: 'Tenant' }).getByRole('button', { name: option, exact: true }).waitFor()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
}
const names = async (page: Page): Promise<string[]> => (await page.locator('a.token-name').allTextContents()).sort()

describe.skipIf(skip !== undefined)(`the tenant filter ${skip ?? ''}`, () => {
  const play = stage(path)

  it('the tenant filter is searchable and paginated when there are too many tenants for a list', () =>
    play(
      {
        before: seed,
        start: expressWith({
          tenants: () => [
            ...Array.from({ length: 1001 }, (_, at) => ({ id: `t${at}`, name: `A ${at}` })),
            { id: 'corvid', name: 'Zeta Corvid' },
          ],
        }),
      },
      async ({ page }) => {
        await page.getByRole('link', { name: 'Price feed' }).waitFor()
        // Rows show the names of tenants beyond the first page as well.
        await page.getByRole('cell', { name: 'Zeta Corvid' }).first().waitFor()
        await choose(page, 'zeta', 'Zeta Corvid (corvid)')
        await expect.poll(() => names(page)).toEqual(['Old mobile app', 'Partner reporting'])
        await page.reload()
        await page.getByRole('button', { name: 'Tenant: Zeta Corvid' }).click()
        const panel = page.getByRole('dialog', { name: 'Tenant' })
        await panel.getByRole('button', { name: 'A 0 (t0)', exact: true }).waitFor()
        const before = await panel.getByRole('listitem').count()
        await panel.getByRole('button', { name: 'Show more' }).click()
        await expect.poll(() => panel.getByRole('listitem').count()).toBe(before + 20)
        await panel.getByRole('button', { name: 'All tenants' }).click()
        await page.getByRole('link', { name: 'Price feed' }).waitFor()
        await expect.poll(() => new URL(page.url()).searchParams.get('tenant')).toBe(null)
      },
    ))

  it('names beyond the first 500 appear in the form, the list, the audit log and its export', () => {
    const many = Array.from({ length: 501 }, (_, at) => ({ id: `i${at}`, name: `A ${at}` }))
    return play(
      {
        before: seed,
        start: expressWith({
          tenants: () => [...many, { id: 'acme', name: 'Zenith' }, { id: 'zeta', name: 'Zeta Ltd' }],
          owners: () => [...many, { id: 'ada@acme.example', name: 'Zaida' }, { id: 'zoe', name: 'Zoe Zander' }],
        }),
      },
      async ({ page }) => {
        await page
          .getByRole('row', { name: /Support desk/ })
          .getByText('days ago by Zaida')
          .waitFor()
        await press(page, 'Create token')
        const dialog = page.getByRole('dialog')
        await dialog.getByLabel('Name').fill('ERP')
        await dialog.getByRole('radio', { name: 'One tenant' }).check()
        await dialog.getByRole('combobox', { name: 'Tenant' }).fill('zeta')
        await dialog.getByRole('checkbox', { name: /^orders:read / }).check()
        await dialog.getByRole('combobox', { name: 'Owner' }).fill('zoe')
        // Before the typing delay ends.
        await confirm(page, 'Review')
        for (const shown of ['Zeta Ltd (zeta)', 'Zoe Zander (zoe)'])
          await dialog.getByRole('definition').filter({ hasText: shown }).waitFor()
        await page.keyboard.press('Escape')
        await confirm(page, 'Discard')
        await press(page, 'Revoke all')
        await dialog.getByRole('combobox', { name: 'Tenant' }).fill('zeta')
        await dialog.getByText('Zeta Ltd (zeta)').waitFor()
        await page.keyboard.press('Escape')
        await confirm(page, 'Discard')
        await page.getByRole('link', { name: 'Audit log' }).click()
        await expect.poll(() => page.locator('datalist option[value="ada@acme.example"]').getAttribute('label')).toMatch(/^Zaida/)
        const [saved] = await Promise.all([page.waitForEvent('download'), press(page, 'Export CSV')])
        expect(await readFile((await saved.path()) ?? '', 'utf8')).toMatch(/"ada@acme.example","Zaida",.*,"acme","Zenith",/)
      },
    )
  })

  it('tenants are sorted by the names that are shown, not by their IDs', () => {
    const make = async ({ tokens }: World): Promise<void> => {
      for (const tenantId of ['acme', 'bolt']) await tokens.system.create({ name: `Token of ${tenantId}`, tenantId, scopes: [] })
    }
    return play(
      {
        before: make,
        at: '?sort=client',
        start: expressWith({
          tenants: () => [
            { id: 'acme', name: 'Zenith' },
            { id: 'bolt', name: 'Alpha' },
          ],
        }),
      },
      async ({ page }) => {
        await expect.poll(() => page.locator('a.token-name').allTextContents()).toEqual(['Token of bolt', 'Token of acme'])
      },
    )
  })

  it('the tenant filter accepts a typed ID when tenants cannot be listed', () =>
    play(
      {
        before: seed,
        start: expressWith({
          tenants: () => {
            throw new Error('down')
          },
        }),
      },
      async ({ page }) => {
        await page.getByRole('link', { name: 'Price feed' }).waitFor()
        await choose(page, 'corvid', 'Use “corvid”')
        await expect.poll(() => names(page)).toEqual(['Old mobile app', 'Partner reporting'])
        await page.getByRole('button', { name: 'Tenant: corvid' }).waitFor()
      },
    ))

  it('without a tenants callback, the filter lists tenants that have tokens, and the form accepts a new tenant', () =>
    play(
      {
        before: async ({ tokens }) => {
          await tokens.system.create({ name: 'Oldest', scopes: [], tenantId: 'first-of-all', ownerId: 'olga' })
          for (let at = 0; at < 3; at += 1) await tokens.system.create({ name: `T${at}`, scopes: [], tenantId: 'acme', ownerId: 'ada' })
        },
      },
      async ({ page, world }) => {
        await page.getByRole('combobox', { name: 'Tenant', exact: true }).selectOption('first-of-all')
        await expect.poll(() => names(page)).toEqual(['Oldest'])
        await press(page, 'Create token')
        const dialog = page.getByRole('dialog')
        await dialog.getByLabel('Name').fill('For somebody new')
        await dialog.getByLabel('Tenant', { exact: true }).fill('first-of-all')
        await expect.poll(() => dialog.locator('datalist option[value="olga"]').count()).toBe(1)
        await expect.poll(() => dialog.locator('datalist option[value="ada"]').count()).toBe(0)
        await dialog.getByLabel('Tenant', { exact: true }).fill('brand-new')
        await confirm(page, 'Review')
        await confirm(page, 'Create token')
        await page.locator('[data-token]:not(:empty)').waitFor()
        expect((await world.tokens.system.list({ limit: 1 })).items[0]?.tenantId).toBe('brand-new')
      },
    ))
})

describe.skipIf(skip !== undefined)(`an application without tenants ${skip ?? ''}`, () => {
  const play = stage(path)
  const before = async ({ tokens }: World): Promise<void> => {
    await tokens.system.create({ name: 'ERP', scopes: ['orders:read'] })
    await tokens.system.create({ name: 'Scanner', ownerId: 'ada', scopes: ['orders:read'] })
  }

  it('the page of an application without tenants shows owners and does not mention tenants', () =>
    play({ before }, async ({ page, world }) => {
      await page.getByRole('link', { name: 'ERP' }).waitFor()
      await page.getByRole('columnheader', { name: 'Owner' }).waitFor()
      await page.getByRole('cell', { name: 'ada' }).waitFor()
      expect(await page.locator('main').textContent()).not.toMatch(/tenant/i)
      await page.getByRole('link', { name: 'ERP' }).click()
      await page.getByRole('heading', { name: 'ERP' }).waitFor()
      expect(await page.locator('dl.facts').textContent()).not.toMatch(/tenant/i)
      // The first token of a tenant makes the tenant known.
      await world.tokens.system.create({ name: 'Kiosk', tenantId: 'acme', scopes: ['orders:read'] })
      await page.goto(world.url)
      await page.getByRole('cell', { name: 'All tenants' }).first().waitFor()
      await page.getByRole('combobox', { name: 'Tenant' }).waitFor()
    }))
})
