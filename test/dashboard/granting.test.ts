import { describe, expect, it } from 'vitest'
import { findChromium } from './support/browser.js'
import { PEOPLE } from './support/host.js'
import { chooseEveryTenant, confirm, holdBack, keep, press, stage, wider } from './support/stage.js'

const { path = '', skip } = findChromium()

describe.skipIf(skip !== undefined)(`permissions of a token ${skip ?? ''}`, () => {
  const play = stage(path)

  it('the form shows scopes as a grid with group presets, wildcards in red, a search and a live summary', () =>
    play({ options: { allowWildcard: true } }, async ({ page, world }) => {
      await press(page, 'Create token')
      const dialog = page.getByRole('dialog')
      const heads = await dialog.getByRole('columnheader').allTextContents()
      expect(heads).toEqual(['Resource', 'read', 'write', 'transfer', 'refund', 'manage', 'All (*)'])
      expect(await dialog.getByRole('rowheader').allTextContents()).toEqual(['inventory', 'orders', 'billing', 'webhooks'])
      const summary = dialog.getByRole('region', { name: 'Summary' })
      await dialog.getByLabel('Name').fill('Grid')
      await chooseEveryTenant(page)
      await dialog.getByRole('checkbox', { name: /^orders:read / }).check()
      await dialog.getByRole('checkbox', { name: /^@finance / }).check()
      await summary.getByText('See orders and their lines').waitFor()
      await summary.getByText('@finance').waitFor()
      expect(await dialog.getByText('A wildcard also grants scopes that are added later.').count()).toBe(0)
      const wildcard = dialog.getByRole('checkbox', { name: /^billing:\* / })
      await wildcard.check()
      await dialog.getByText('A wildcard also grants scopes that are added later.').waitFor()
      const red = await dialog
        .locator('label[data-scope="billing:*"]')
        .evaluate((node) => (getComputedStyle(node).color.match(/\d+/g) ?? []).map(Number))
      expect(red[0]).toBeGreaterThan((red[1] ?? 0) * 2)
      await dialog.getByRole('searchbox', { name: 'Search scopes' }).fill('invoices')
      await expect.poll(() => dialog.getByRole('rowheader').allTextContents()).toEqual(['billing'])
      await dialog.getByRole('searchbox', { name: 'Search scopes' }).fill('')
      await page.setViewportSize({ width: 320, height: 844 })
      await dialog.locator('label[data-scope="inventory:transfer"]').getByText('transfer').click()
      await expect.poll(() => dialog.getByRole('checkbox', { name: /^inventory:transfer / }).isChecked()).toBe(true)
      await dialog.locator('label[data-scope="inventory:transfer"]').click()
      expect(await wider(dialog)).toEqual([])
      await confirm(page, 'Review')
      await confirm(page, 'Create token')
      await page.locator('[data-token]:not(:empty)').waitFor()
      expect((await world.tokens.system.list()).items[0]?.scopes).toEqual(['orders:read', '@finance', 'billing:*'])
    }))

  it('a link prefills the form within what the user may grant, and the form has its own URL', () => {
    const wishes = new URLSearchParams({
      screen: 'create',
      name: 'Deploy',
      description: 'From CI',
      scopes: 'inventory:read,orders:read,inventory:read,nothing:such',
      tenant: 'acme',
      owner: 'somebody-else',
      expires: '30',
    })
    return play({ user: 'uma', at: `?${wishes}` }, async ({ page, world }) => {
      const dialog = page.getByRole('dialog')
      await dialog.getByText('It also asks for scopes that you cannot grant: orders:read, nothing:such.').waitFor()
      await expect.poll(() => page.title()).toBe('Create a token · API tokens')
      await confirm(page, 'Review')
      // A form prefilled by a link closes without asking, but not while its token is being created.
      const { asked, letGo } = await holdBack(page, /\/tokens\/$/)
      await confirm(page, 'Create token')
      await asked
      await page.keyboard.press('Escape')
      await dialog.getByRole('button', { name: 'Close' }).click()
      letGo()
      await page.locator('[data-token]:not(:empty)').waitFor()
      const [record] = (await world.tokens.system.list()).items
      expect(record).toMatchObject({ name: 'Deploy', description: 'From CI', scopes: ['inventory:read'], ownerId: PEOPLE.uma?.id })
      expect(Math.round((Number(record?.expiresAt) - Date.now()) / 86_400_000)).toBe(30)
      await keep(page)
      await expect.poll(() => new URL(page.url()).search).toBe('?tenant=acme')
      const entries = await page.evaluate(() => history.length)
      await press(page, 'Create token')
      expect(new URL(page.url()).search).toBe('?screen=create&tenant=acme')
      await page.reload()
      await expect.poll(() => dialog.getByLabel('Name').inputValue()).toBe('')
      expect(await dialog.getByText('A link filled in this form').count()).toBe(0)
      await confirm(page, 'Cancel')
      await expect.poll(() => new URL(page.url()).search).toBe('?tenant=acme')
      await page.goForward()
      await dialog.getByLabel('Name').waitFor()
      await page.goBack()
      await expect.poll(() => dialog.count()).toBe(0)
      expect(await page.evaluate(() => history.length)).toBe(entries + 1)
    })
  })

  it('an edit shows permissions before and after, with what it adds and removes', () =>
    play(
      { before: ({ tokens }) => tokens.system.create({ name: 'ERP', scopes: ['orders:read', 'inventory:read'] }) },
      async ({ page, world }) => {
        await page.getByRole('link', { name: 'ERP' }).click()
        await press(page, 'Edit')
        const dialog = page.getByRole('dialog')
        const change = dialog.getByRole('region', { name: 'Permissions before and after' })
        expect(await change.count()).toBe(0)
        await dialog.getByRole('checkbox', { name: /^orders:read / }).uncheck()
        await dialog.getByRole('checkbox', { name: /^orders:write / }).check()
        await expect.poll(() => change.getByRole('status').textContent()).toBe('Added: orders:write. Removed: orders:read.')
        await confirm(page, 'Save changes')
        await page.getByText('Changes saved').waitFor()
        expect((await world.tokens.system.list()).items[0]?.scopes).toEqual(['inventory:read', 'orders:write'])
      },
    ))
})
